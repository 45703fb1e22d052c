#include "servers/rt/field.hpp"

#include <charconv>

namespace gemel {
namespace {

template <typename T>
void append_number(std::string& out, T value)
{
    char digits[24];
    auto const end = std::to_chars(digits, digits + sizeof(digits), value);
    out.append(digits, end.ptr);
}

} // namespace

void append_decimal(std::string& out, u64 value)
{
    append_number(out, value);
}

void append_decimal(std::string& out, i64 value)
{
    append_number(out, value);
}

void append_quoted(std::string& out, std::string_view text)
{
    constexpr std::string_view digits = "0123456789abcdef";
    out += '"';
    for (char const character : text) {
        auto const byte = static_cast<u8>(character);
        if (character == '"' || character == '\\') {
            out += '\\';
            out += character;
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += character;
        }
    }
    out += '"';
}

} // namespace gemel
