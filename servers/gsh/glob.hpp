// File name patterns: * any text, ? one character, [a-z] [!x] one of a set. In a pattern a
// backslash takes the meaning from the character after it; that is how quoted text arrives here.
#pragma once

#include "servers/gsh/world.hpp"

namespace gemel::gsh {

// `text` with a backslash before every character that a pattern gives a meaning.
std::string escape_pattern(std::string_view text);
// The opposite.
std::string unescape_pattern(std::string_view pattern);
// Whether it has *, ? or [ that count.
bool has_wildcard(std::string_view pattern);
// Whether the whole of `name` fits. A name that starts with a dot needs a dot in the pattern.
bool matches(std::string_view pattern, std::string_view name);

inline constexpr usize glob_names_max = 10'000;

// The names of files that fit, sorted; none: empty. Relative patterns start at `directory`.
// Directories that cannot be read count as empty. too_big: more than glob_names_max.
Result<std::vector<std::string>> glob(
    World& world, std::string const& directory, std::string_view pattern);

} // namespace gemel::gsh
