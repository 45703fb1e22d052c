// The user side of the kernel line, hosted: a call instead of a trap.
#pragma once

#include "core/base/types.hpp"

namespace gemel::hosted {

extern void* current_thread_pointer; // swapped at every switch

// Task code is running: false in the kernel and in device models, although they run on a task's
// stack.
bool in_task();

} // namespace gemel::hosted

namespace gemel::arch {

// In: the eight words, the receive port and the number word. Out: words, port, and the status in
// number.
struct Registers {
    u64 words[8] = {};
    u64 port = 0;
    u64 number = 0;
};

void system_call(Registers& registers);

// Switched with the thread. Null outside a task; otherwise a ThreadControl (servers/rt/thread.hpp).
inline void* thread_pointer()
{
    return hosted::current_thread_pointer;
}
inline void set_thread_pointer(void* value)
{
    hosted::current_thread_pointer = value;
}

// The guard of stacks is the host process's own, which its C library has made at random.
inline constexpr bool task_has_stack_guard = false;
inline void set_stack_guard(u64) { }

} // namespace gemel::arch
