// The names of files that fit a pattern, as a shell sees them.
#pragma once

#include "servers/gsh/world.hpp"

namespace gemel::gsh {

// Whether the whole of `name` fits (servers/fskit/name_pattern.hpp). A name that starts with a dot
// needs a dot in the pattern.
bool matches(std::string_view pattern, std::string_view name);

inline constexpr usize glob_names_max = 10'000;

// The names of files that fit, sorted; none: empty. Relative patterns start at `directory`.
// Directories that cannot be read count as empty. too_big: more than glob_names_max.
Result<std::vector<std::string>> glob(
    World& world, std::string const& directory, std::string_view pattern);

} // namespace gemel::gsh
