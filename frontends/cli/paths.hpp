// Where things are on the host: the repository, and the state that Gemel keeps (XDG base
// directories).
#pragma once

#include <optional>
#include <string>

namespace gemel::cli {

// The top of the repository, without a trailing slash. ./gemel says it; a program that was started
// by hand finds it from its own place in build/.
std::string repository();

// The disk used when none is given. Made, or made again when its content in the repository changed
// and nobody wrote to it, by scripts/default-disk.sh. Null after a message when that failed.
std::optional<std::string> default_disk();

} // namespace gemel::cli
