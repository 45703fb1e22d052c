// The user side of the machine: the system call and the thread pointer.
#pragma once

#include "core/base/types.hpp"

extern "C" {

// What functions put on their stack and check, by the ABI's name: one for all threads of a task.
extern gemel::u64 __stack_chk_guard;

} // extern "C"

namespace gemel::arch {

// The ten registers of a system call (core/abi/call.hpp); `number` is the status on return.
struct Registers {
    u64 words[8] = {};
    u64 port = 0;
    u64 number = 0;
};

// Always in line: where the words are used at once, none of them goes through memory.
[[gnu::always_inline]] inline void system_call(Registers& registers)
{
    register u64 x0 asm("x0") = registers.words[0];
    register u64 x1 asm("x1") = registers.words[1];
    register u64 x2 asm("x2") = registers.words[2];
    register u64 x3 asm("x3") = registers.words[3];
    register u64 x4 asm("x4") = registers.words[4];
    register u64 x5 asm("x5") = registers.words[5];
    register u64 x6 asm("x6") = registers.words[6];
    register u64 x7 asm("x7") = registers.words[7];
    register u64 x8 asm("x8") = registers.port;
    register u64 x9 asm("x9") = registers.number;
    asm volatile("svc #0"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7),
                 "+r"(x8), "+r"(x9)
                 :
                 : "memory");
    registers = { { x0, x1, x2, x3, x4, x5, x6, x7 }, x8, x9 };
}

// The running thread's own word; the C++ library finds its thread-local storage through it.
inline void* thread_pointer()
{
    void* value;
    asm volatile("mrs %0, tpidr_el0" : "=r"(value));
    return value;
}
inline void set_thread_pointer(void* value)
{
    asm volatile("msr tpidr_el0, %0" : : "r"(value));
}

inline constexpr bool task_has_stack_guard = true;

inline void set_stack_guard(u64 guard)
{
    __stack_chk_guard = guard;
}

} // namespace gemel::arch
