// Every protocol, for what is derived from all of them: the golden file of numbers, fuzzing.
#pragma once

#include "servers/protocols/block.hpp"
#include "servers/protocols/clock.hpp"
#include "servers/protocols/console.hpp"
#include "servers/protocols/devices.hpp"
#include "servers/protocols/directory.hpp"
#include "servers/protocols/faults.hpp"
#include "servers/protocols/file.hpp"
#include "servers/protocols/init.hpp"
#include "servers/protocols/keeper.hpp"
#include "servers/protocols/log.hpp"
#include "servers/protocols/pager.hpp"
#include "servers/protocols/pipe.hpp"
#include "servers/protocols/process.hpp"
#include "servers/protocols/scheduler.hpp"
#include "servers/protocols/vfs.hpp"

#include <tuple>

namespace gemel::protocol {

using All = std::tuple<Block, Clock, Console, Device, Devices, Directory, Faults, FaultSink, File,
    Init, Keeper, Log, PagedMemory, Pager, Pipes, Process, Processes, Reservation, Scheduler, Vfs>;

} // namespace gemel::protocol
