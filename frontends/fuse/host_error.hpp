// The system's errors as the host's.
#pragma once

#include "core/abi/error.hpp"
#include "servers/hostmount/ring.hpp"

namespace gemel::fuse {

// errno of a request that failed.
int host_error(hostmount::Operation operation, Error error);

} // namespace gemel::fuse
