// Fewer decisions that still fail in the same way: delta debugging (Zeller, Hildebrandt,
// "Simplifying and Isolating Failure-Inducing Input", 2002) over the list, then smaller values.
#pragma once

#include "sim/oracle/oracle.hpp"

#include <functional>
#include <vector>

namespace gemel::sim {

// True: these decisions fail with the same signature.
using StillFails = std::function<bool(std::vector<Decision> const&)>;

struct Shrunk {
    std::vector<Decision> decisions;
    u32 runs = 0;
};

// `decisions` is known to fail. Asks at most `runs_max` times.
Shrunk shrink(std::vector<Decision> decisions, StillFails const& still_fails, u32 runs_max);

} // namespace gemel::sim
