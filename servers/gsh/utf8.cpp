#include "servers/gsh/utf8.hpp"

#include <algorithm>
#include <array>

namespace gemel::gsh {
namespace {

struct Range {
    u32 first;
    u32 last;
};

constexpr std::array<Range, 11> combining { { Range { 0x300, 0x36F }, Range { 0x483, 0x489 },
    Range { 0x591, 0x5BD }, Range { 0x610, 0x61A }, Range { 0x64B, 0x65F },
    Range { 0x1AB0, 0x1AFF }, Range { 0x1DC0, 0x1DFF }, Range { 0x200B, 0x200F },
    Range { 0x20D0, 0x20FF }, Range { 0xFE00, 0xFE0F }, Range { 0xFE20, 0xFE2F } } };

// Unicode Standard Annex 11, the ranges that are W or F.
constexpr std::array<Range, 15> wide { { Range { 0x1100, 0x115F }, Range { 0x2E80, 0x303E },
    Range { 0x3041, 0x33FF }, Range { 0x3400, 0x4DBF }, Range { 0x4E00, 0x9FFF },
    Range { 0xA000, 0xA4CF }, Range { 0xA960, 0xA97F }, Range { 0xAC00, 0xD7A3 },
    Range { 0xF900, 0xFAFF }, Range { 0xFE30, 0xFE6F }, Range { 0xFF00, 0xFF60 },
    Range { 0xFFE0, 0xFFE6 }, Range { 0x1F300, 0x1F64F }, Range { 0x1F900, 0x1F9FF },
    Range { 0x20000, 0x3FFFD } } };

template <typename Ranges>
bool within(Ranges const& ranges, u32 character)
{
    return std::ranges::any_of(ranges,
        [character](Range range) { return range.first <= character && character <= range.last; });
}

} // namespace

usize utf8_before(std::string_view text, usize at)
{
    while (at > 0 && utf8_continues(text[--at])) { }
    return at;
}

usize utf8_after(std::string_view text, usize at)
{
    if (at < text.size())
        ++at;
    while (at < text.size() && utf8_continues(text[at]))
        ++at;
    return at;
}

u32 utf8_decode(std::string_view text)
{
    auto const first = static_cast<u8>(text[0]);
    auto const length = utf8_length(first);
    if (length < 2 || text.size() < length)
        return first;
    u32 result = first & (0x7Fu >> length);
    for (usize i = 1; i < length; ++i) {
        if (!utf8_continues(text[i]))
            return first;
        result = result << 6 | (static_cast<u8>(text[i]) & 0x3F);
    }
    return result;
}

u32 columns_of(u32 character)
{
    if (within(combining, character))
        return 0;
    return within(wide, character) ? 2 : 1;
}

u32 columns_of(std::string_view text)
{
    u32 result = 0;
    for (usize at = 0; at < text.size(); at = utf8_after(text, at))
        result += columns_of(utf8_decode(text.substr(at)));
    return result;
}

} // namespace gemel::gsh
