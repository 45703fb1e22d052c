// The user side of the kernel line, hosted: a call instead of a trap.
#pragma once

#include "core/base/types.hpp"

namespace gemel::hosted {

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
// It is the host thread's own (src/processor.hpp), and a task's thread may find itself on another
// one between any two instructions: one instruction each, which the compiler neither repeats nor
// spares.
inline void* thread_pointer()
{
    void* value;
    asm volatile("movq %%fs:gemel_thread_pointer@tpoff, %0" : "=r"(value));
    return value;
}
inline void set_thread_pointer(void* value)
{
    asm volatile("movq %0, %%fs:gemel_thread_pointer@tpoff" : : "r"(value));
}

// The guard of stacks is the host process's own, which its C library has made at random.
inline constexpr bool task_has_stack_guard = false;
inline void set_stack_guard(u64) { }

} // namespace gemel::arch
