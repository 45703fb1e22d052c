// Where things are on the host.
#pragma once

#include <string>

namespace gemel::cli {

// The top of the repository, without a trailing slash. ./gemel says it; a program that was started
// by hand finds it from its own place in build/.
std::string repository();

// The build tree that this program stands in.
std::string build_tree();

} // namespace gemel::cli
