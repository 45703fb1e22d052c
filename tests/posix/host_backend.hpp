// The suite's calls as the host's own: for its file systems, and for what `gemel mount` mounts.
#pragma once

#include "tests/posix/backend.hpp"

#include <memory>

namespace gemel::posix {

enum class Through : u8 { kernel, fuse };
std::unique_ptr<Backend> host_backend(Through through);

} // namespace gemel::posix
