// The user side of the seam: what code in a task may ask of its machine.
#pragma once

#include "core/base/types.hpp"

namespace gemel::arch {

// In the ABI's order (core/abi/call.hpp). `number` is the status on return, `port` the reply token of
// a received message.
struct Registers {
    u64 words[8] = {};
    u64 port = 0;
    u64 number = 0;
};

void system_call(Registers& registers);

// Switched with the thread. Null outside a task; otherwise a ThreadControl (servers/rt/thread.hpp).
void* thread_pointer();
void set_thread_pointer(void* control);

} // namespace gemel::arch
