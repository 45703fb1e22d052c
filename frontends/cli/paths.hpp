// Where things are on the host.
#pragma once

#include <string>

namespace gemel::cli {

// The top of the repository, without a trailing slash. ./gemel says it; a program that was started
// by hand finds it from its own place in build/.
std::string repository();

} // namespace gemel::cli
