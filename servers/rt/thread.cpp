#include "servers/rt/thread.hpp"

#include "servers/rt/system.hpp"

namespace gemel {

namespace {

// At the top of a new thread's stack.
struct ThreadStart {
    ThreadBlock block;
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;
    void* area = nullptr;
};

[[noreturn]] void wait_for_the_end()
{
    for (;;)
        sleep_until(Deadline::none());
}

// Begins without a guard and sets it: it cannot check one itself.
__attribute__((no_stack_protector)) void thread_main(ThreadStart* start)
{
    auto* const control
        = static_cast<ThreadControl*>(start->block.task->thread_area.prepare(start->area));
    control->self = control;
    control->block = &start->block;
    arch::set_thread_pointer(control);
    if constexpr (arch::task_has_stack_guard)
        arch::set_stack_guard(start->block.task->stack_guard);
    start->entry(start->argument);
    wait_for_the_end();
}

} // namespace

Result<Handle> spawn_thread(
    void (*entry)(void*), void* argument, usize stack_bytes, std::string_view name)
{
    auto& task = *self()->task;
    auto const area_bytes = align_up(task.thread_area.bytes, usize { 64 });
    auto const bytes = align_up(stack_bytes + area_bytes + sizeof(ThreadStart), page_bytes);
    if (bytes > thread_stack_bytes_max)
        return Error::too_big;
    // Two slots of addresses: the lower one stays empty.
    auto const slots = task.regions.reserve(2 * region_bytes_max);
    if (!slots)
        return Error::no_memory;
    auto const region = task.regions.allocate(slots + region_bytes_max, bytes);
    if (!region) {
        task.regions.unreserve(slots, 2 * region_bytes_max);
        return region.error();
    }
    auto const top = region->address + bytes;
    auto const area = top - area_bytes;
    auto const start_address = align_down<u64>(area - sizeof(ThreadStart), 16);
    auto* const start = ::new (reinterpret_cast<void*>(start_address)) ThreadStart;
    start->block.task = &task;
    start->entry = entry;
    start->argument = argument;
    start->area = reinterpret_cast<void*>(area);
    auto const thread = system::sched_spawn(
        reinterpret_cast<u64>(&thread_main), start_address, start_address, name);
    if (!thread) {
        task.regions.release(*region, bytes);
        task.regions.unreserve(slots, 2 * region_bytes_max);
        return thread.error();
    }
    return Handle(*thread);
}

void sleep_until(Deadline deadline)
{
    auto const port = system::port_allocate();
    if (!port)
        return system::sched_yield();
    Handle const own { *port };
    (void)system::port_receive(own.value(), deadline);
}

} // namespace gemel
