#include "tests/storm/random_message.hpp"

#include "servers/protocols/all.hpp"

#include <limits>
#include <vector>

namespace gemel::storm {

namespace {

constexpr std::string_view path_pieces[]
    = { "/", "/tmp", "tmp", "/dev/random", "random", "/proc/1", "1", "status", "/etc", "etc/motd",
          "/gemel/bin/gsh", "..", ".", "//", "a", "/tmp/a", "/tmp/b/c", "\xFF\xFE", "\n" };

template <typename... Ms>
void append_numbers(std::vector<u16>& numbers, MessageList<Ms...>)
{
    (numbers.push_back(Ms::number), ...);
}

template <typename... Ps>
std::vector<u16> numbers_of(std::tuple<Ps...> const*)
{
    std::vector<u16> numbers;
    (append_numbers(numbers, typename Ps::Messages {}), ...);
    return numbers;
}

std::string_view piece(Chooser& chooser)
{
    return path_pieces[chooser.below(std::size(path_pieces))];
}

} // namespace

std::vector<u16> known_operations()
{
    return numbers_of(static_cast<protocol::All const*>(nullptr));
}

u64 random_word(Chooser& chooser, usize region_bytes)
{
    constexpr u64 edges[] = { 0, 1, 511, 512, 4095, 4096, 0x7FFF'FFFF, 0xFFFF'FFFF,
        std::numeric_limits<u64>::max(), 1ull << 63, reply_token_bit | 1 };
    switch (chooser.below(4)) {
    case 0:
        return chooser.below(32);
    case 1:
        return edges[chooser.below(std::size(edges))];
    case 2: { // a span: offset and length inside the region, or nearly
        auto const offset = chooser.below(region_bytes + 64);
        return offset | chooser.below(chooser.one_in(4) ? region_bytes * 2 : 64) << 32;
    }
    default:
        return chooser.next();
    }
}

void scribble(Chooser& chooser, SharedRegion const& region)
{
    auto const bytes = region.span();
    auto at = chooser.below(bytes.size());
    auto const put = [&](std::string_view text) {
        for (auto const letter : text) {
            if (at == bytes.size())
                return;
            bytes[at++] = static_cast<std::byte>(letter);
        }
    };
    if (chooser.one_in(8)) {
        for (int i = 0; i < 40; ++i)
            put(path_pieces[1]); // a long path of existing names
        return;
    }
    for (auto count = chooser.below(4); count != 0; --count)
        put(piece(chooser));
    put(std::string_view("\0", chooser.below(2)));
}

} // namespace gemel::storm
