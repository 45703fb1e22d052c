// Putting text together without <format>, which g++ 12 does not have.
#pragma once

#include "servers/rt/field.hpp"

#include <string>
#include <string_view>

namespace gemel {

// A number in hexadecimal, with 0x: concatenate("at ", Hexadecimal { address }).
struct Hexadecimal {
    u64 value = 0;
    unsigned digits = 1; // at least this many
};

inline void append_piece(std::string& out, std::string_view piece)
{
    out += piece;
}
inline void append_piece(std::string& out, char piece)
{
    out += piece;
}
inline void append_piece(std::string& out, Error error)
{
    out += name_of(error);
}
void append_piece(std::string& out, Hexadecimal number);
template <std::integral T>
requires(!std::same_as<T, char> && !std::same_as<T, bool>) void append_piece(
    std::string& out, T number)
{
    Field<T>::print(out, number);
}

template <typename... Pieces>
std::string concatenate(Pieces const&... pieces)
{
    std::string out;
    (append_piece(out, pieces), ...);
    return out;
}

// "SECONDS.MICROS", six digits behind the point.
std::string seconds_text(u64 ns);

} // namespace gemel
