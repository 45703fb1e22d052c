#include "servers/ext4/free_map.hpp"

#include <algorithm>
#include <bit>

namespace gemel::ext4 {

namespace {

constexpr u32 word_bits = 64;
constexpr u64 all = ~u64 { 0 };

// The bits from `from` on, below `to`; to - from at most 64, both in one word.
u64 mask(u32 from, u32 to)
{
    auto const count = to - from;
    return (count == word_bits ? all : (u64 { 1 } << count) - 1) << from;
}

} // namespace

FreeMap::FreeMap(Bytes bitmap, u32 blocks)
    : blocks_(blocks)
    , words_((blocks + word_bits - 1) / word_bits)
{
    add_used(bitmap);
    if (blocks % word_bits != 0)
        words_.back() |= all << blocks % word_bits;
}

void FreeMap::add_used(Bytes bitmap)
{
    for (usize each = 0; each < words_.size() && each * 8 + 8 <= bitmap.size(); ++each)
        words_[each] |= join(load32(bitmap, each * 8), load32(bitmap, each * 8 + 4));
}

void FreeMap::add_used(Run run)
{
    auto const end = std::min(run.end(), blocks_);
    for (auto at = run.start; at < end;) {
        auto const stop = std::min(end, (at / word_bits + 1) * word_bits);
        words_[at / word_bits] |= mask(at % word_bits, at % word_bits + (stop - at));
        at = stop;
    }
}

u32 FreeMap::find(u32 from) const
{
    if (from >= blocks_)
        return blocks_;
    auto word = from / word_bits;
    auto free = ~words_[word] & all << from % word_bits;
    while (free == 0) {
        if (++word == words_.size())
            return blocks_;
        free = ~words_[word];
    }
    return word * word_bits + static_cast<u32>(std::countr_zero(free));
}

u32 FreeMap::find_used(u32 from, u32 to) const
{
    if (from >= to)
        return to;
    auto word = from / word_bits;
    auto used = words_[word] & all << from % word_bits;
    while (used == 0) {
        if (++word * word_bits >= to)
            return to;
        used = words_[word];
    }
    return std::min(to, word * word_bits + static_cast<u32>(std::countr_zero(used)));
}

u32 FreeMap::length(u32 from, u64 count_max) const
{
    auto const to = static_cast<u32>(std::min<u64>(blocks_, from + count_max));
    return from < to ? find_used(from, to) - from : 0;
}

FreeMap::Run FreeMap::choose(u32 from, u64 wanted) const
{
    Run best;
    if (from < blocks_ && is_free(from))
        return { from, length(from, wanted) };
    for (u32 round = 0; round < 2; ++round) {
        auto at = find(round == 0 ? from : 0);
        auto const end = round == 0 ? blocks_ : std::min(from, blocks_);
        while (at < end) {
            auto const count = length(at, wanted);
            if (count > best.count)
                best = { at, count };
            if (best.count == wanted)
                return best;
            at = find(at + count);
        }
    }
    return best;
}

FreeMap::Run FreeMap::buddy(u32 from, u32 order) const
{
    auto const size = u32 { 1 } << order;
    auto const first = (from + size - 1) / size * size;
    for (u32 round = 0; round < 2; ++round) {
        auto const end = round == 0 ? blocks_ : std::min(first, blocks_);
        for (auto at = round == 0 ? first : 0; at + size <= end;) {
            auto const used = find_used(at, at + size);
            if (used == at + size)
                return { at, size };
            at = std::max(at + size, find(used) / size * size);
        }
    }
    return {};
}

} // namespace gemel::ext4
