// The packed bytes are steps. 0nnnnnnn: n + 1 bytes follow, as they are. 1nnnnnnn, and two bytes d,
// low one first: as before, from d + 1 bytes back, n + 4 bytes; where n is 127, two more bytes say
// how many. A step back may reach into what it makes: that is how a run of equal bytes is told.
#include "sim/record/page_pack.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::sim {

namespace {

constexpr u32 page_size = static_cast<u32>(page_bytes);
constexpr u32 match_least = 4;
constexpr u32 plain_max = 128; // of one step
constexpr u8 back = 0x80;
constexpr u8 long_step = 127;
constexpr u32 table_bits = 11;
constexpr u32 patience_bits = 5; // the longer nothing repeats, the more is passed over

u32 four_at(u8 const* at)
{
    u32 word = 0;
    std::memcpy(&word, at, sizeof word);
    return word;
}

u32 match_length(u8 const* page, u32 before, u32 at)
{
    auto const begin = at;
    while (at + 8 <= page_size) {
        u64 left = 0;
        u64 right = 0;
        std::memcpy(&left, page + before, 8);
        std::memcpy(&right, page + at, 8);
        if (left != right)
            return at - begin + static_cast<u32>(__builtin_ctzll(left ^ right)) / 8;
        at += 8;
        before += 8;
    }
    while (at < page_size && page[before] == page[at])
        ++at, ++before;
    return at - begin;
}

class Packer {
public:
    Packer(u8 const* page, u8* to)
        : page_(page)
        , to_(to)
    {
    }

    // False: too many bytes.
    bool plain(u32 begin, u32 end)
    {
        while (begin < end) {
            auto const count = std::min(end - begin, plain_max);
            if (used_ + 1 + count > packed_bytes_max)
                return false;
            to_[used_++] = static_cast<u8>(count - 1);
            std::memcpy(to_ + used_, page_ + begin, count);
            used_ += count;
            begin += count;
        }
        return true;
    }
    bool from_before(u32 distance, u32 length)
    {
        if (used_ + 5 > packed_bytes_max)
            return false;
        auto const more = length - match_least;
        to_[used_++] = static_cast<u8>(back | std::min<u32>(more, long_step));
        half(distance - 1);
        if (more >= long_step)
            half(length);
        return true;
    }
    u32 used() const { return used_; }

private:
    void half(u32 value)
    {
        to_[used_++] = static_cast<u8>(value);
        to_[used_++] = static_cast<u8>(value >> 8);
    }

    u8 const* page_;
    u8* to_;
    u32 used_ = 0;
};

} // namespace

usize pack_page(u8 const* page, u8* to)
{
    u16 places[1u << table_bits] = {}; // where these four bytes were last, and one
    Packer packer { page, to };
    u32 told = 0; // up to here
    for (u32 at = 0; at + match_least <= page_size;) {
        auto const word = four_at(page + at);
        auto& place = places[word * 2654435761u >> (32 - table_bits)];
        auto const before = place;
        place = static_cast<u16>(at + 1);
        if (before == 0 || four_at(page + before - 1) != word) {
            at += 1 + ((at - told) >> patience_bits);
            continue;
        }
        auto const length = match_length(page, before - 1u, at);
        if (!packer.plain(told, at) || !packer.from_before(at + 1 - before, length))
            return 0;
        at += length;
        told = at;
    }
    return packer.plain(told, page_size) && packer.used() < packed_bytes_max ? packer.used() : 0;
}

bool unpack_page(std::span<u8 const> from, u8* page)
{
    u32 at = 0;
    usize next = 0;
    auto const half = [&] {
        auto const low = from[next++];
        return static_cast<u32>(low | from[next++] << 8);
    };
    while (next < from.size()) {
        auto const step = from[next++];
        auto const left = from.size() - next;
        u32 length = step + 1u;
        if ((step & back) == 0) {
            if (length > left || length > page_size - at)
                return false;
            std::memcpy(page + at, from.data() + next, length);
            next += length;
            at += length;
            continue;
        }
        auto const is_long = (step & ~back) == long_step;
        if (left < (is_long ? 4 : 2))
            return false;
        auto const distance = half() + 1;
        length = is_long ? half() : (step & ~u32 { back }) + match_least;
        if (distance > at || length > page_size - at)
            return false;
        for (; length > 0; --length, ++at)
            page[at] = page[at - distance];
    }
    return at == page_size;
}

} // namespace gemel::sim
