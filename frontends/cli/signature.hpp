// What kind of failure one is.
#pragma once

#include "sim/world/closed_world.hpp"

#include <string>

namespace gemel::cli {

// The same for failures that differ in numbers alone. What shrinks is of one kind, and campaigns
// count failures by it (frontends/campaign/store.py makes the same of what is printed).
std::string signature_of(sim::Failure const& failure);

} // namespace gemel::cli
