// A run's events as a Perfetto trace (TrackEvent, protobuf written by hand): a track for each
// thread below its task, a slice for each call from its entry to the thread's next turn, an arrow
// from a message to who runs next because of it, an instant for what the world did. One TrackEvent
// for each event of L1, with its processor as the annotation `cpu`.
#pragma once

#include "sim/trace/trace.hpp"

#include <span>
#include <string>

namespace gemel::sim {

std::string perfetto_trace(std::span<Event const> events, std::span<TaskName const> names);

} // namespace gemel::sim
