// Where in this executable something was, for people.
#pragma once

#include "sim/world/closed_world.hpp"

#include <string>

namespace gemel::cli {

// Source file and line of the call before a place (bytes from the executable's start); "?" where
// addr2line is missing.
std::string line_of(u64 place);

// The same for each place that is written @0x... in a text.
std::string with_lines(std::string text);

// "preempt till(27)@examples/till/till.cpp:31 edge 1204 -> till(26)"
std::string words_of(sim::Stop const& stop);

} // namespace gemel::cli
