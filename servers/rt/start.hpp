// How a program begins and ends, the same on every face. The face's start code has set up the stack
// and, natively, thread-local storage, and calls start_program on the first thread.
#pragma once

#include "servers/rt/env.hpp"

namespace gemel {

using ServerMain = Result<void> (*)(Env&);

// `name` is for messages. If the thread pointer is not set yet, it is set to an area made by `area`
// on this stack; further threads get such areas too. `construct` makes the program's globals,
// when there is a heap. Ends the thread by its fault port with the exit status.
[[noreturn]] void start_program(
    Startup const& startup, ServerMain main, std::string_view name, ThreadArea area = {},
    void (*construct)() = [] {});

// What assertion_failed does in a task: says where, and ends the thread with exit_assertion.
[[noreturn]] void assertion_failed_in_task(char const* expression, char const* file, int line);

// What __stack_chk_fail does in a task: ends the thread with exit_smashed. Init says whose stack it
// was: nothing that lies there is trusted.
[[noreturn]] void stack_smashed_in_task();

// Task code's memory: operator new and delete, malloc and free. The calling task's heap.
void* heap_allocate(usize bytes, usize align = Heap::alignment);
void heap_free(void* block);

inline constexpr u64 exit_assertion = 134; // as a shell shows an abort
// A function found its stack written over. Shells show the low eight bits, an abort again.
inline constexpr u64 exit_smashed = 0x100 + exit_assertion;

} // namespace gemel
