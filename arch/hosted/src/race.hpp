// What ThreadSanitizer is told, so that it finds races between tasks (GEMEL_SANITIZE=thread): each
// thread of the system is one of its fibers; a page is one place, wherever tasks map it; and only
// what the kernel carries from one thread to another orders what they do. What the kernel does is
// done by the host thread on which it is done, and watched where that is not the only one: there
// only the kernel's lock orders it. Elsewhere all of this is nothing, but for handle().
#pragma once

#include <gemel/arch/frame.hpp>
#include <gemel/arch/user.hpp>
#include <gemel/hosted/system.hpp>

#include <csignal>
#include <string>

namespace gemel::arch::race {

#if defined(GEMEL_TSAN)
inline constexpr bool watching = true;

// Around System::run, on the host's own stack.
void begin_run(hosted::HostThreads threads);
void end_run();
// The calling host thread is a processor, in the kernel, as it is from then on after each
// begin_kernel().
void become(Frame::Fiber& own);
void begin_kernel(Frame::Fiber const& own);
// Into the task code of a thread, which had its first turn.
void end_kernel(u32 thread);

// In the kernel: the thread is about to go on; for the first time since its id is its.
void prepare(u32 thread);
void first_turn(u32 thread);

// A call is about to be served, in the kernel; what the thread will have received from. And it has
// been.
u8 const* sends(Kernel& kernel, Thread const& thread, Registers const& call);
void received(u32 thread, u64 number, u8 const* from);

// A fault of the thread is about to be told to whom it concerns, in the kernel; and the thread goes
// on behind it.
void faults(u32 thread);
void mended(u32 thread);

// A task's 2 MiB at `address` show the pages of `leaf`; null: nothing.
void mapped(u64 address, void const* leaf);
// The page has a new owner: what was done to it is forgotten.
void forget(u8* page, int memory, u64 offset);

// What is needed to tell of a race is read while files can be opened.
void before_jail();

// As sigaction(2); ThreadSanitizer's own would keep a signal back until its code has a copy of what
// the handler is to change.
void handle(int signal, struct sigaction const& action);

// What was found since the last question, or "". Places are written @0x..., bytes from the start of
// the executable.
std::string take_found();
// How much was found since the run began.
u32 found_count();

#else
inline constexpr bool watching = false;

inline void begin_run(hosted::HostThreads) { }
inline void end_run() { }
inline void become(Frame::Fiber&) { }
inline void begin_kernel(Frame::Fiber const&) { }
inline void end_kernel(u32) { }
inline void prepare(u32) { }
inline void first_turn(u32) { }
inline u8 const* sends(Kernel&, Thread const&, Registers const&)
{
    return nullptr;
}
inline void received(u32, u64, u8 const*) { }
inline void faults(u32) { }
inline void mended(u32) { }
inline void mapped(u64, void const*) { }
inline void forget(u8*, int, u64) { }
inline void before_jail() { }
inline void handle(int signal, struct sigaction const& action)
{
    sigaction(signal, &action, nullptr);
}
inline u32 found_count()
{
    return 0;
}
inline std::string take_found()
{
    return "";
}

#endif

} // namespace gemel::arch::race
