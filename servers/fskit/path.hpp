// Path text: limits, and how a path falls into components. Every byte but '/' and NUL may stand in
// a name. Nothing here knows of mounts or symlinks; that is servers/vfs/path_walk.hpp.
#pragma once

#include "core/base/result.hpp"
#include "core/base/types.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gemel::fskit {

inline constexpr usize name_bytes_max = 255; // of one component
inline constexpr usize path_bytes_max = 4095; // of a whole path, no NUL counted

// How a path ends decides what may be done with it: "a/" and "a/." must be a directory, and neither
// "." nor ".." can be made, removed or renamed.
enum class PathEnding : u8 { name, slash, dot };

struct SplitPath {
    std::vector<std::string> components; // without "" and "."; ".." stays
    PathEnding ending = PathEnding::name;
};

// Checks: empty -> not_found; over path_bytes_max -> name_too_long; a NUL -> invalid; a component
// over name_bytes_max -> name_too_long. A leading '/' is not asked for here.
Result<SplitPath> split_path(std::string_view path);

// One name to be made or looked up. Empty, ".", "..", a '/' or a NUL -> invalid; too long ->
// name_too_long.
Result<void> check_name(std::string_view name);

// "a", "b" -> "a/b". Nothing for no components.
std::string join_components(std::vector<std::string> const& components, usize begin, usize end);

// Takes the first component off `path`, which has no empty components. Empty when none is left.
std::string_view take_component(std::string_view& path);

} // namespace gemel::fskit
