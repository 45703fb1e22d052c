// File name patterns: * any text, ? one character, [a-z] [!x] one of a set. In a pattern a
// backslash takes the meaning from the character after it; that is how quoted text arrives here.
#pragma once

#include <string>
#include <string_view>

namespace gemel::fskit {

// `text` with a backslash before every character that a pattern gives a meaning.
std::string escape_pattern(std::string_view text);
// The opposite.
std::string unescape_pattern(std::string_view pattern);
// Whether it has *, ? or [ that count.
bool has_wildcard(std::string_view pattern);
// Whether the whole of `name` fits.
bool name_matches(std::string_view pattern, std::string_view name);

} // namespace gemel::fskit
