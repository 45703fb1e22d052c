// A replay in gdb: `gemel replay FILE --gdb` starts gdb, which starts this program once more as the
// other side of its remote protocol (frontends/travel).
#pragma once

#include "frontends/cli/sim.hpp"

namespace gemel::cli {

// Becomes gdb, standing where the run failed or where --to says. Returns only when that is not to
// be had: the exit status.
int replay_in_debugger(ReplayOptions const& options);
// What gdb talks to. Returns the exit status when gdb has ended.
int serve_replay(SimHost const& host, SimSpec const& spec, SimWay const& way);

} // namespace gemel::cli
