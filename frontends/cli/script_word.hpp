// A script as one word of the machine's command line: GEMEL_COMMAND=word (docs/booting.md).
#pragma once

#include <string>
#include <string_view>

namespace gemel::cli {

// The longest word that the startup page has room for beside init's other variables.
inline constexpr std::size_t script_word_bytes_max = 1600;

// Letters, digits and `_-./` stand for themselves, every other byte is %XX with upper-case digits.
std::string script_word(std::string_view script);

} // namespace gemel::cli
