// Journals as files of the host.
#pragma once

#include "frontends/cli/sim_run.hpp"
#include "sim/replay/journal.hpp"

#include <optional>
#include <string>

namespace gemel::cli {

// Null, and why in `note`.
std::optional<sim::Journal> read_journal(std::string const& path, std::string& note);
// whole: also where the seed alone would do (sim::Journal::bytes_max_whole).
enum class JournalSize : u8 { usual, whole };
// False after a message.
bool write_journal(
    std::string const& path, SimSpec const& spec, SimResult const& result, JournalSize size);

SimSpec spec_of(sim::Journal const& journal);

} // namespace gemel::cli
