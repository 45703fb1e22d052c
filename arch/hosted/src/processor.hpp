// What a host thread that runs tasks has of its own. Threads of the system move between host
// threads whenever they enter the kernel, so nothing may keep an address of these: each is asked
// for anew (the compiler would take the address of a thread_local once for a whole function).
#pragma once

#include "core/base/types.hpp"

#include <gemel/arch/frame.hpp>

#include <atomic>

namespace gemel::arch {
struct Processor;
}

extern "C" {
extern constinit thread_local bool gemel_in_task; // task code is running: ticks and faults are its
extern constinit thread_local void* gemel_thread_pointer; // arch::thread_pointer()
extern constinit thread_local gemel::arch::Processor* gemel_processor; // arch::own()
extern constinit thread_local void** gemel_exceptions; // __cxa_eh_globals: two words
extern constinit thread_local int* gemel_error_number; // errno
}

namespace gemel::arch {

struct Processor {
    std::atomic<bool> called = false; // it is to come into the kernel; first (src/resume.S)
    u32 number = 0;
    Frame::Fiber fiber; // the stack that the host gave it
    void* stack_bottom = nullptr; // of that stack, told by the sanitizer
    usize stack_bytes = 0;
};

// The calling host thread becomes that processor.
void become(Processor& processor);
// It gets a stack for signal handlers, which it has to take back before it ends.
void give_signal_stack();
void take_signal_stack();

// The one that the calling host thread is.
inline Processor& own()
{
    Processor* processor;
    asm volatile("movq %%fs:gemel_processor@tpoff, %0" : "=r"(processor) : : "memory");
    return *processor;
}

// What the C and the C++ library keep for a host thread, which a switch swaps.
inline void** exceptions_here()
{
    void** value;
    asm volatile("movq %%fs:gemel_exceptions@tpoff, %0" : "=r"(value));
    return value;
}
inline int* error_number_here()
{
    int* value;
    asm volatile("movq %%fs:gemel_error_number@tpoff, %0" : "=r"(value));
    return value;
}

inline bool in_task_here()
{
    bool value;
    asm volatile("movb %%fs:gemel_in_task@tpoff, %0" : "=q"(value));
    return value;
}

// Only the signal handlers of this very host thread look, and Processors::call(): no more order
// than the compiler's is needed here.
inline void set_in_task(bool value)
{
    asm volatile("movb %0, %%fs:gemel_in_task@tpoff" : : "qi"(value) : "memory");
}

} // namespace gemel::arch
