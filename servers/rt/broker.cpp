#include "servers/rt/broker.hpp"

#include <cstring>

namespace gemel {
namespace {

std::string name_in(u64 word0, u64 word1)
{
    char bytes[16];
    std::memcpy(bytes, &word0, 8);
    std::memcpy(bytes + 8, &word1, 8);
    return { bytes, strnlen(bytes, sizeof(bytes)) };
}

u32 low(u64 word)
{
    return static_cast<u32>(word);
}

u32 high(u64 word)
{
    return static_cast<u32>(word >> 32);
}

} // namespace

Result<Handle> BrokerClient::narrowed(
    Operation first, unsigned count, u32 argument_first, u32 arguments) const
{
    return handle_.badged(
        broker_badge(first, count, argument_first, arguments), Right::call | Right::derive);
}

Result<Handle> TaskBroker::task_new(TaskQuota const& quota, std::string_view name) const
{
    auto const named = system::name_words(name);
    auto const words = TRY(
        run(Operation::task_new, { quota.pages, quota.rows, quota.threads, named[0], named[1] }));
    return Handle(words[0]);
}

Result<Handle> TaskBroker::thread_new(
    Handle const& task, ThreadStart const& start, Handle const& fault_port) const
{
    auto const words = TRY(run(Operation::thread_new,
        { task.value(), start.entry, start.stack_top, start.argument, start.priority,
            fault_port.value() }));
    return Handle(words[0]);
}

Result<void> TaskBroker::thread_run(Handle const& thread) const
{
    TRY(run(Operation::thread_run, { thread.value() }));
    return {};
}

Result<void> TaskBroker::thread_stop(Handle const& thread) const
{
    TRY(run(Operation::thread_stop, { thread.value() }));
    return {};
}

Result<u64> TaskBroker::thread_get(Handle const& thread, unsigned index) const
{
    return TRY(run(Operation::thread_get, { thread.value(), index }))[0];
}

Result<void> TaskBroker::thread_set(Handle const& thread, unsigned index, u64 value) const
{
    TRY(run(Operation::thread_set, { thread.value(), index, value }));
    return {};
}

Result<void> TaskBroker::thread_foreign(Handle const& thread, Foreign foreign) const
{
    TRY(run(Operation::thread_foreign, { thread.value(), static_cast<u64>(foreign) }));
    return {};
}

Result<u64> TaskBroker::task_reap(Handle const& task, u64 cursor) const
{
    return TRY(run(Operation::task_reap, { task.value(), cursor }))[0];
}

Result<void> MemoryBroker::map(
    Handle const& task, Handle const& region, u64 address, u16 flags) const
{
    TRY(run(Operation::map, { task.value(), region.value(), address, flags }));
    return {};
}

Result<void> MemoryBroker::unmap(Handle const& task, u64 address) const
{
    TRY(run(Operation::unmap, { task.value(), address }));
    return {};
}

Result<void> MemoryBroker::protect(Handle const& region, u32 first_page, u32 pages, u16 flags) const
{
    TRY(run(Operation::protect, { region.value(), first_page, pages, flags }));
    return {};
}

Result<void> MemoryBroker::fill(
    Handle const& to, u32 to_page, Handle const& from, u32 from_page) const
{
    TRY(run(Operation::fill, { to.value(), to_page, from.value(), from_page }));
    return {};
}

Result<Handle> PhysBroker::region_physical(u64 first_page, u32 pages, u16 flags) const
{
    return Handle(TRY(run(Operation::region_physical, { first_page, pages, flags }))[0]);
}

Result<u64> PhysBroker::region_address(Handle const& region, u32 page) const
{
    return TRY(run(Operation::region_address, { region.value(), page }))[0];
}

Result<void> IrqBroker::bind(u32 line, Handle const& port, u64 bits) const
{
    TRY(run(Operation::irq_bind, { line, port.value(), bits }));
    return {};
}

Result<void> IrqBroker::acknowledge(u32 line) const
{
    TRY(run(Operation::irq_acknowledge, { line }));
    return {};
}

Result<IrqBroker::Msi> IrqBroker::msi_allocate(u32 first_line, Handle const& port, u64 bits) const
{
    auto const words = TRY(run(Operation::msi_allocate, { first_line, port.value(), bits }));
    return Msi { words[0], low(words[1]), low(words[2]) };
}

Result<u32> PioBroker::read(u32 port, u32 bytes) const
{
    return low(TRY(run(Operation::pio_read, { port, bytes }))[0]);
}

Result<void> PioBroker::write(u32 port, u32 bytes, u32 value) const
{
    TRY(run(Operation::pio_write, { port, bytes, value }));
    return {};
}

Result<void> SchedBroker::scheduler_register(Handle const& port, u64 bits) const
{
    TRY(run(Operation::scheduler_register, { port.value(), bits }));
    return {};
}

Result<void> SchedBroker::thread_priority(Handle const& thread, unsigned priority) const
{
    TRY(run(Operation::thread_priority, { thread.value(), priority }));
    return {};
}

Result<void> SchedBroker::thread_affinity(Handle const& thread, u64 processors) const
{
    TRY(run(Operation::thread_affinity, { thread.value(), processors }));
    return {};
}

Result<AuditBroker::Row> AuditBroker::row(u32 index) const
{
    auto const words = TRY(run(Operation::audit_row, { index }));
    return Row {
        .owner = low(words[0]),
        .type = static_cast<ObjectType>(words[0] >> 32),
        .rights = static_cast<Rights>(words[1]),
        .depth = low(words[1]) >> 16,
        .children = high(words[1]),
        .badge = words[2],
        .object = words[3],
        .parent = words[4],
        .generation = words[5],
    };
}

Result<AuditBroker::Thread> AuditBroker::thread(u32 index) const
{
    auto const words = TRY(run(Operation::audit_thread, { index }));
    return Thread {
        .task = low(words[0]),
        .state = static_cast<u8>(words[0] >> 32),
        .priority = static_cast<u8>(words[0] >> 40),
        .name = name_in(words[1], words[2]),
        .run_ns = words[3],
        .waits_on = words[4],
    };
}

Result<AuditBroker::Task> AuditBroker::task(u32 index) const
{
    auto const words = TRY(run(Operation::audit_task, { index }));
    return Task {
        .pages_left = low(words[0]),
        .rows_left = high(words[0]),
        .name = name_in(words[1], words[2]),
        .threads = low(words[3]),
        .dead = high(words[3]) != 0,
        .pages_quota = low(words[4]),
    };
}

Result<AuditBroker::Totals> AuditBroker::totals() const
{
    auto const words = TRY(run(Operation::audit_totals, {}));
    return Totals {
        .pages = words[0],
        .pages_free = words[1],
        .rows = words[2],
        .rows_free = words[3],
        .threads = low(words[4]),
        .tasks = high(words[4]),
        .calls = words[5],
    };
}

Result<AuditBroker::Port> AuditBroker::port(u64 object) const
{
    auto const words = TRY(run(Operation::audit_port, { object }));
    return Port {
        .owner = low(words[0]),
        .ring_count = low(words[1]),
        .waiting_receivers = low(words[2]),
        .queued_callers = low(words[3]),
        .notification = words[4],
    };
}

Result<void> MachineBroker::power_off(u8 status) const
{
    TRY(run(Operation::power_off, { status }));
    return {};
}

Result<u64> MachineBroker::entropy() const
{
    return TRY(run(Operation::entropy, {}))[0];
}

} // namespace gemel
