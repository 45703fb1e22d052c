// What belongs to a thread and to a task. Nothing of it is a global: the machine's thread pointer
// finds the thread's block, and that the task's state, which lies on the first thread's stack.
#pragma once

#include "core/abi/startup.hpp"
#include "servers/rt/kernel_regions.hpp"
#include "servers/rt/trace.hpp"

#include <gemel/arch/user.hpp>

namespace gemel {

struct TaskState;

struct ThreadBlock {
    TaskState* task = nullptr;
    u64 parking_port = 0; // made when the thread first has to wait for a lock
};

// What the thread pointer points at. On every machine these two words are free for the program
// beside its thread-local storage (x86_64 wants its own address in the first, and keeps the stack's
// guard behind them: arch::set_stack_guard).
struct ThreadControl {
    void* self = nullptr;
    ThreadBlock* block = nullptr;
};

// How a thread's area at the top of its stack is laid out: thread-local storage and ThreadControl.
// A program without thread-local storage (hosted) uses this default.
struct ThreadArea {
    usize bytes = sizeof(ThreadControl);
    // Initialises `area` (aligned to 64) and returns the thread pointer, a ThreadControl in it.
    void* (*prepare)(void* area) = [](void* area) { return area; };
};

// Null outside a task (hosted: the kernel, the front end, unit tests).
inline ThreadBlock* self()
{
    auto const* const control = static_cast<ThreadControl const*>(arch::thread_pointer());
    return control ? control->block : nullptr;
}

struct TaskState {
    // `chance`: random bits that say where its memory lies.
    TaskState(Startup const& page, ThreadArea area, u64 chance)
        : startup(page)
        , thread_area(area)
        , regions(align_up<u64>(page.address_begin, region_bytes_max),
              align_down<u64>(page.address_end, region_bytes_max), chance)
        , heap(regions)
    {
    }
    Startup const& startup;
    ThreadArea thread_area;
    u64 stack_guard = 0; // what arch::set_stack_guard is given in each thread
    KernelRegions regions;
    Heap heap;
    // How often an allocation waits a tick for memory before it fails. For who must go on when
    // others have taken the last page, and can wait until they give it back: init.
    std::atomic<unsigned> patience { 0 };
    DebugTrace debug_trace;
    std::atomic<TraceSink*> trace { nullptr };
};

inline constexpr usize thread_stack_bytes_max = region_bytes_max - page_bytes;

// Runs entry(argument) in a new thread of this task. The stack (page multiple, at most
// thread_stack_bytes_max) has an unmapped page below it and lives as long as the task; entry must
// not return before the task ends.
Result<Handle> spawn_thread(
    void (*entry)(void*), void* argument, usize stack_bytes, std::string_view name);

// Blocks the calling thread until `deadline`, which the kernel checks at each tick (10 ms).
void sleep_until(Deadline deadline);

} // namespace gemel
