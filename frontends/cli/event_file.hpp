// A run's events in a file: a header, the events of 32 bytes each, a digest for every 65,536, the
// names of tasks. Traces are made of it.
#pragma once

#include "sim/run/closed_run.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gemel::cli {

struct EventFile {
    std::vector<sim::Event> events;
    std::vector<sim::Hash> digests;
    std::vector<sim::TaskName> names;
    sim::Hash hash;
};

// `descriptor` is open for writing. False: the host refused.
bool write_event_file(int descriptor, sim::Outcome const& outcome);
// Null, and why in `error`: not a file of ours, or cut off.
std::optional<EventFile> read_event_file(std::string const& path, std::string& error);

// From the file `events`, as lines of text and for the Perfetto UI; "" for neither. False after a
// message.
bool write_traces(std::string const& events, std::string const& text, std::string const& perfetto);

// One line of text, without the newline.
std::string text_of(sim::Event const& event);

} // namespace gemel::cli
