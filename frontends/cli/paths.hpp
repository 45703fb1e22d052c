// Where things are on the host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gemel::cli {

// The top of the repository, without a trailing slash. ./gemel says it; a program that was started
// by hand finds it from its own place in build/.
std::string repository();

// The build tree that this program stands in.
std::string build_tree();

// What is kept from one start to the next, as the XDG base directory specification says.
std::string state_directory();

// The boot bundle of this build; empty when it is not there.
std::vector<std::uint8_t> boot_bundle();

} // namespace gemel::cli
