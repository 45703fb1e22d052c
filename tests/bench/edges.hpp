// Pieces of computing code; each is a function of its seed.
#pragma once

#include "core/base/types.hpp"

namespace gemel::bench {

struct Kind {
    char const* name;
    u64 (*run)(u64 seed);
};
extern Kind const kinds[5];

} // namespace gemel::bench
