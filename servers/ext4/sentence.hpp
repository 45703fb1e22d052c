// Sentences for people, put together from text and numbers.
#pragma once

#include "core/base/types.hpp"

#include <concepts>
#include <string>
#include <string_view>

namespace gemel::ext4 {

// A number that reads better in hexadecimal: a checksum, a feature bit.
struct Hex {
    u64 value;
};

inline void append(std::string& text, std::string_view part)
{
    text += part;
}

inline void append(std::string& text, std::unsigned_integral auto number)
{
    text += std::to_string(number);
}

inline void append(std::string& text, Hex number)
{
    text += "0x";
    int shift = 60;
    while (shift > 0 && (number.value >> shift) == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        text += "0123456789abcdef"[number.value >> shift & 0xF];
}

template <typename... Parts>
std::string sentence(Parts const&... parts)
{
    std::string text;
    (append(text, parts), ...);
    return text;
}

} // namespace gemel::ext4
