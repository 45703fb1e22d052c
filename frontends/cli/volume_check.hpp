// The file system's own check over a disk in memory, for runs that end with one.
#pragma once

#include "core/base/types.hpp"

#include <span>
#include <string>

namespace gemel::cli {

// What is wrong, as the replay of its journal would leave it; "" when nothing is.
std::string volume_problems(std::span<u8 const> disk);

} // namespace gemel::cli
