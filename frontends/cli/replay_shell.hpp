// `gemel replay FILE --shell`: into the past with a keyboard.
#pragma once

#include "frontends/cli/recording_file.hpp"
#include "frontends/cli/sim_run.hpp"

namespace gemel::cli {

// Plays back to the stop of `way` or to the end, then lives on in this terminal, on a copy of the
// disk: nothing is written. The exit status of the program.
int replay_shell(ReadRecording const& read, sim::Setup setup, SimWay const& way);

} // namespace gemel::cli
