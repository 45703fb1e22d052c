// What ThreadSanitizer is told, so that it finds races between tasks (GEMEL_SANITIZE=thread): each
// thread of the system is one of its fibers; only servers and programs are watched; a page is one
// place, wherever tasks map it; and only what the kernel carries from one thread to another orders
// what they do. Elsewhere all of this is nothing.
#pragma once

#include <gemel/arch/frame.hpp>
#include <gemel/arch/user.hpp>
#include <gemel/hosted/system.hpp>

#include <string>

namespace gemel::arch::race {

#if defined(GEMEL_TSAN)
inline constexpr bool watching = true;

// Around System::run, on the host's own stack.
void begin_run();
void end_run();
// The thread's fiber goes on; the next thing is the switch of stacks.
void switch_to(u32 thread);
void switch_to_host();
// First thing on a thread's own stack.
void first_turn(u32 thread);

// What follows, up to the other, is the kernel's and watched no more.
void begin_kernel();
void end_kernel();

// A call is about to be served, and has been.
void sends(Kernel& kernel, Registers const& call);
void received(Kernel& kernel, Thread const& thread, Registers const& call);

// A task's 2 MiB at `address` show the pages of `leaf`; null: nothing.
void mapped(u64 address, void const* leaf);
// The page has a new owner: what was done to it is forgotten.
void forget(u8* page, int memory, u64 offset);

// What was found since the last question, or "". Places are written @0x..., bytes from the start of
// the executable.
std::string take_found();

#else
inline constexpr bool watching = false;

inline void begin_run() { }
inline void end_run() { }
inline void switch_to(u32) { }
inline void switch_to_host() { }
inline void first_turn(u32) { }
inline void begin_kernel() { }
inline void end_kernel() { }
inline void sends(Kernel&, Registers const&) { }
inline void received(Kernel&, Thread const&, Registers const&) { }
inline void mapped(u64, void const*) { }
inline void forget(u8*, int, u64) { }
inline std::string take_found()
{
    return "";
}

#endif

} // namespace gemel::arch::race
