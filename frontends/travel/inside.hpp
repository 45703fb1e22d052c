// What a run that is debugged carries inside itself: the places where the debugger's stub stops it.
// None of it is part of the simulated world, and none of it costs an ordinary run anything.
#pragma once

#include "core/base/types.hpp"

namespace gemel::travel {

// Of this process: the stub, which is the same program at the same addresses, reads and writes it
// in the process that it traces.
struct Inside {
    u64 event = 0; // the last that happened
    u64 time_ns = 0; // its virtual time
    u64 stop_event = 0; // gemel_replay_reached is called at events from here on,
    u64 stop_ns = 0; // or from this time on
};

// Called at every event, and once as number 0 before the first. However it answers, it runs the
// same number of instructions: places between events are counted in them.
void at_event(u64 event, u64 time_ns);

// Where gdb stops: on the stack of whoever was running.
extern "C" {
extern Inside gemel_replay_inside;
void gemel_replay_passed(u64 event, u64 time_ns);
void gemel_replay_reached(u64 event, u64 time_ns);
void gemel_replay_failed();
void gemel_replay_over();
// Makes a second process of this one, with its own copy of the machine's memory, and stops both
// (int3; rax: the new process's number, 0 in that; rdx: 0 when the copy was made). The stub lets it
// run on a stack of its own, wherever the process stood, and puts the registers back.
void gemel_replay_fork();
extern u8 gemel_replay_stack[];
}
inline constexpr usize stack_bytes = 64 * 1024;

} // namespace gemel::travel
