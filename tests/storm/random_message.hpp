// One random message: half sense, half nonsense.
#pragma once

#include "servers/rt/region.hpp"
#include "servers/rt/system.hpp"
#include "tests/storm/chooser.hpp"

#include <vector>

namespace gemel::storm {

// The numbers of all messages of all protocols; those that several share stand there several times.
std::vector<u16> known_operations();

// Small numbers, bounds, spans of a region of `region_bytes`, and any bits.
u64 random_word(Chooser& chooser, usize region_bytes);

// Fills the region with paths (good, strange and too long), NULs and noise.
void scribble(Chooser& chooser, SharedRegion const& region);

} // namespace gemel::storm
