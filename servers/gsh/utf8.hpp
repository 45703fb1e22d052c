// UTF-8 as a terminal sees it: characters and the columns they take.
#pragma once

#include "core/base/types.hpp"

#include <string_view>

namespace gemel::gsh {

// Bytes of a character by its first byte; 0 for a byte that cannot be first.
constexpr usize utf8_length(u8 first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

constexpr bool utf8_continues(char c)
{
    return (static_cast<u8>(c) & 0xC0) == 0x80;
}

// Where the character before, or after, the one at `at` begins. Stays inside the text.
usize utf8_before(std::string_view text, usize at);
usize utf8_after(std::string_view text, usize at);

// The character at the start of a text that is not empty; a byte that is not UTF-8 stands for
// itself.
u32 utf8_decode(std::string_view text);

// Columns that a character takes: 0 combining, 2 wide (East Asian, most pictures), otherwise 1.
u32 columns_of(u32 character);
u32 columns_of(std::string_view text);

} // namespace gemel::gsh
