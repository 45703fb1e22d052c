#include "frontends/cli/script_word.hpp"

namespace gemel::cli {

namespace {

bool stands_for_itself(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')
        || (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == '.' || byte == '/';
}

} // namespace

std::string script_word(std::string_view script)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string word;
    for (auto const byte : script) {
        if (stands_for_itself(byte)) {
            word += byte;
            continue;
        }
        auto const value = static_cast<unsigned char>(byte);
        word += '%';
        word += digits[value >> 4];
        word += digits[value & 15];
    }
    return word;
}

} // namespace gemel::cli
