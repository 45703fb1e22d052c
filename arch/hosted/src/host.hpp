// What fibers (system.cpp) and signals (signals.cpp) share: the one running system, and the ways
// into its kernel and out of it.
#pragma once

#include "processors.hpp"

#include <gemel/hosted/edges.hpp>
#include <gemel/hosted/system.hpp>
#include <gemel/hosted/traced.hpp>

namespace gemel::arch {

// The process runs one system at a time; its signal handlers need to find it.
struct Host {
    hosted::System* system = nullptr;
    Processors* processors = nullptr; // null: all are on one host thread
    Processor alone; // that one
    bool isolated = false;
    bool unusual = false; // isolated, or with processors that are host threads
    hosted::TickPlace tick_place = hosted::TickPlace::kernel; // of the tick that is pending
    i64 edges_given = hosted::edges_unlimited; // to the thread whose turn it is
    i64 edges_spent = 0; // of these, when it last entered the kernel
    u8* fault_stacks[threads_max] = {};
    bool stands_next = false; // at the next kernel exit: System::stand
    Frame::Fiber standing; // of the thread that stands there
};
extern Host host;

inline constexpr u64 fault_was_write = 2; // of a page fault's code, as the processor tells it
// The kernel runs on its caller's stack, so a thread needs this much of one to begin, and below
// each system call.
inline constexpr u64 stack_bytes_min = 4096;

// Null: the host has no memory.
u8* fault_stack(u32 thread);
void install_handlers();

// Into the kernel, as the thread whose turn it was.
Thread* begin();
// Delivers what is pending, then leaves into a thread that the kernel chose.
void leave(Thread* me);
// Out of the kernel: task code goes on. What comes first, and all of it.
void before_task_code();
void go_on();

// The thread that the calling processor runs. Only in the kernel does the kernel know who calls.
inline Thread& current_here()
{
    auto& kernel = host.system->kernel();
    return *(host.processors ? kernel.cpu(own().number) : kernel.cpu()).current;
}

} // namespace gemel::arch
