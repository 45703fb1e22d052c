// The suite's calls as those of the operating system's own programs.
#pragma once

#include "servers/fskit/client.hpp"
#include "tests/posix/backend.hpp"

#include <memory>

namespace gemel::posix {

// `out` receives the lines.
std::unique_ptr<Backend> system_backend(fskit::Files& files, fskit::OpenFile& out);

} // namespace gemel::posix
