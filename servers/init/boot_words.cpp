#include "servers/init/boot_words.hpp"

#include <charconv>

namespace gemel::init {

Result<std::string> unescape(std::string_view word)
{
    std::string text;
    while (!word.empty()) {
        if (word.front() != '%') {
            text += word.front();
            word.remove_prefix(1);
            continue;
        }
        unsigned value = 0;
        auto const digits = word.substr(1, 2);
        auto const [end, error] = std::from_chars(digits.begin(), digits.end(), value, 16);
        if (digits.size() != 2 || error != std::errc {} || end != digits.end())
            return Error::syntax;
        text += static_cast<char>(value);
        word.remove_prefix(3);
    }
    return text;
}

} // namespace gemel::init
