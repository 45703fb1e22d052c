// The system's errors as the host's.
#pragma once

#include "core/abi/error.hpp"

namespace gemel::fuse {

int host_error(Error error);

} // namespace gemel::fuse
