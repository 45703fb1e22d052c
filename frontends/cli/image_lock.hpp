// One image, one writer: the lock that every way of mounting or running an image takes, so that two
// systems never have the same file system at once.
#pragma once

#include "frontends/cli/image_check.hpp"

#include <optional>
#include <string>

namespace gemel::cli {

// Locks the open image (flock): shared for reading, else alone. Null, or the whole message: who
// holds it. The lock ends with the last copy of the descriptor.
std::optional<std::string> lock_image(int descriptor, std::string const& path, Access access);

} // namespace gemel::cli
