// Thread-local storage of native programs: libstdc++ keeps the exceptions that are being handled
// there.
#pragma once

#include "servers/rt/thread.hpp"

namespace gemel::libc {

inline constexpr usize thread_local_alignment = 64;

// What each thread's area needs: its copy of the program's thread-local storage, and ThreadControl.
ThreadArea thread_area();

} // namespace gemel::libc
