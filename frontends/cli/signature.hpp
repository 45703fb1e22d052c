// What kind of failure one is.
#pragma once

#include "sim/world/closed_world.hpp"

#include <string>

namespace gemel::cli {

// One line, the same for failures that differ in numbers alone. What shrinks is of one kind, and
// campaigns count failures by what is printed of it behind `kind:`.
std::string signature_of(sim::Failure const& failure);

} // namespace gemel::cli
