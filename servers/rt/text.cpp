#include "servers/rt/text.hpp"

#include <charconv>

namespace gemel {

void append_piece(std::string& out, Hexadecimal number)
{
    char digits[16];
    auto const end = std::to_chars(digits, digits + sizeof(digits), number.value, 16);
    auto const count = static_cast<unsigned>(end.ptr - digits);
    out += "0x";
    if (count < number.digits)
        out.append(number.digits - count, '0');
    out.append(digits, count);
}

std::string seconds_text(u64 ns)
{
    auto const micros = ns / 1000;
    auto const fraction = concatenate(1'000'000 + micros % 1'000'000);
    return concatenate(micros / 1'000'000, '.', std::string_view(fraction).substr(1));
}

} // namespace gemel
