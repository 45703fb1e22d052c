#include "tests/model/tiny_system.hpp"

#include "core/base/assert.hpp"

#include <algorithm>
#include <map>

namespace gemel {

namespace {

constexpr u64 number_of(Call call, unsigned flags = 0)
{
    return static_cast<u64>(call) | u64 { flags } << 8;
}
constexpr auto flag_call = static_cast<unsigned>(ReceiveFlag::call);
constexpr auto flag_send_first = static_cast<unsigned>(ReceiveFlag::send_first);
constexpr auto flag_poll = static_cast<unsigned>(ReceiveFlag::poll);

constexpr bool needs_capability(Act act)
{
    return act != Act::reply && act != Act::yield && act != Act::allocate && act != Act::tick;
}

// FNV-1a, a word at a time, mixed so that order counts.
struct Hash {
    u64 value = 0xCBF2'9CE4'8422'2325;
    void add(u64 word)
    {
        value = (value ^ word) * 0x0000'0100'0000'01B3;
        value ^= value >> 29;
    }
};

} // namespace

TinySystem::TinySystem()
{
    make_tasks();
}

void TinySystem::make_tasks()
{
    auto const broker = kernel.capability("broker-task");
    auto const run_thread = [&](u64 task, u64 priority) {
        kernel.operate(broker, Operation::thread_new, { task, 1, 4096, 0, priority, 0 });
        auto const thread = kernel.word(2);
        kernel.operate(broker, Operation::thread_run, { thread });
        ASSERT(kernel.status() == status_ok);
    };
    constexpr u64 pages = 16;
    constexpr u64 rows = 6;
    constexpr u64 threads = 2;
    for (auto& task : tasks_) {
        kernel.operate(broker, Operation::task_new, { pages, rows, threads, 'a', 0 });
        ASSERT(kernel.status() == status_ok);
        task = kernel.word(2);
    }
    run_thread(tasks_[0], 3);
    run_thread(tasks_[0], 3);
    run_thread(tasks_[1], 3);
    run_thread(kernel.capability("task-self"), 0);
    for (u32 id = 1; id < threads_max; ++id)
        if (auto const* thread = kernel.kernel.thread(id); thread && thread->priority == 0)
            idle_thread_ = id;
    auto const rows_now = kernel.kernel.rows();
    for (u32 i = 0; i < rows_now.size(); ++i)
        if (rows_now[i].owner != 0)
            first_row_ = i + 1;
    // Each task holds the other, so that it may give it capabilities; and one port is made in each.
    for (unsigned i = 0; i < 2; ++i) {
        kernel.trap({ tasks_[1 - i], tasks_[i], rights_all & ~rights_of(Right::destroy) },
            number_of(Call::cap_move));
        ASSERT(kernel.status() == status_ok);
    }
    kernel.trap({}, number_of(Call::port_allocate));
    kernel.trap({}, number_of(Call::port_receive), kernel.word(2)); // init waits for ever
    ASSERT(!idles());
}

std::vector<u32> TinySystem::rows_of(u16 task)
{
    std::vector<u32> found;
    auto const rows = kernel.kernel.rows();
    for (u32 i = first_row_; i < rows.size() && found.size() < capabilities_max; ++i)
        if (rows[i].owner == task)
            found.push_back(i);
    return found;
}

u64 TinySystem::handle_of(u32 row)
{
    return u64 { kernel.kernel.rows()[row].generation } << 32 | row;
}

// The task's first capability to a port, 0 without one.
u64 TinySystem::port_of(u16 task)
{
    for (auto const row : rows_of(task)) {
        auto const object = kernel.kernel.rows()[row].object;
        if (kernel.kernel.pages()[object].type == ObjectType::port)
            return handle_of(row);
    }
    return 0;
}

// A reply token for a call that the task received; one of nobody without any.
u64 TinySystem::open_call(u16 task)
{
    for (u32 id = 1; id < threads_max; ++id) {
        auto const* thread = kernel.kernel.thread(id);
        if (thread && thread->state == ThreadState::awaiting_reply && thread->reply_owner == task)
            return kernel.reply_token(id);
    }
    return reply_token_bit | 1;
}

void TinySystem::steps(std::vector<Act> const& acts, std::vector<Step>& out)
{
    out.clear();
    if (idles()) {
        out.push_back({ Act::tick, 0 });
        return;
    }
    auto const capabilities = rows_of(kernel.current().task->index).size();
    for (auto const act : acts) {
        if (!needs_capability(act))
            out.push_back({ act, 0 });
        else
            for (usize i = 0; i < capabilities; ++i)
                out.push_back({ act, static_cast<u8>(i) });
    }
}

void TinySystem::take(Step step)
{
    auto const task = kernel.current().task->index;
    switch (step.act) {
    case Act::tick:
        kernel.now_ns += tick_ns;
        kernel.kernel.on_interrupt(arch::tick_line);
        return;
    case Act::reply:
        return kernel.trap({ open_call(task) }, number_of(Call::port_send));
    case Act::yield:
        return kernel.trap({}, number_of(Call::sched_yield));
    case Act::allocate:
        return kernel.trap({}, number_of(Call::port_allocate));
    default:
        return act_on(step.act, handle_of(rows_of(task)[step.capability]));
    }
}

void TinySystem::act_on(Act act, u64 handle)
{
    auto const task = kernel.current().task->index;
    auto const capability = [&](CapOperation operation, u64 to, u64 operand, u64 operand2 = 0) {
        kernel.trap(
            { handle, to, rights_all | static_cast<u64>(operation) << 16, operand, operand2 },
            number_of(Call::cap_move));
    };
    // The other task, as this one knows it: its first capability to a task.
    u64 other = 0;
    for (auto const row : rows_of(task))
        if (kernel.kernel.pages()[kernel.kernel.rows()[row].object].type == ObjectType::task)
            other = handle_of(row);
    auto const deadline = (kernel.now_ns + tick_ns) / 1000 << 16;
    constexpr u64 operation = 7;
    switch (act) {
    case Act::send:
        return kernel.trap({ handle, tag_of(operation) }, number_of(Call::port_send));
    case Act::send_capability:
        return kernel.trap({ handle, tag_of(operation, 1), 0, 0, 0, 0, 0, port_of(task) },
            number_of(Call::port_send));
    case Act::call:
        return kernel.trap({ handle, tag_of(operation) }, number_of(Call::port_receive, flag_call));
    case Act::call_for_a_tick:
        return kernel.trap(
            { handle, tag_of(operation) }, number_of(Call::port_receive, flag_call) | deadline);
    case Act::receive:
        return kernel.trap({}, number_of(Call::port_receive), handle);
    case Act::receive_for_a_tick:
        return kernel.trap({}, number_of(Call::port_receive) | deadline, handle);
    case Act::poll:
        return kernel.trap({}, number_of(Call::port_receive, flag_poll), handle);
    case Act::reply_and_receive:
        return kernel.trap(
            { open_call(task) }, number_of(Call::port_receive, flag_send_first), handle);
    case Act::signal:
        return kernel.trap({ handle, 5 }, number_of(Call::signal));
    case Act::derive:
        return capability(CapOperation::derive, 0, 0);
    case Act::derive_to_other:
        return capability(CapOperation::derive, other, 0);
    case Act::move_to_other:
        return capability(CapOperation::move, other, 0);
    case Act::revoke:
        return capability(CapOperation::revoke, 0, 0);
    case Act::close:
        return capability(CapOperation::close, 0, 0);
    case Act::destroy:
        return capability(CapOperation::destroy, 0, 0);
    case Act::badge:
        return capability(CapOperation::badge, 0, 9);
    case Act::limit:
        return capability(CapOperation::time_to_live, 0, tick_ns);
    case Act::watch:
        return capability(CapOperation::watch, 0, port_of(task), 3);
    case Act::reply:
    case Act::yield:
    case Act::allocate:
    case Act::tick:
        return;
    }
}

u64 TinySystem::fingerprint()
{
    Hash hash;
    auto const rows = kernel.kernel.rows();
    auto const pages = kernel.kernel.pages();
    auto const ticks = kernel.now_ns / tick_ns;
    for (u32 i = 1; i < rows.size(); ++i) {
        auto const& row = rows[i];
        if (row.owner == 0)
            continue;
        auto const parent_lives = row.parent != 0 && rows[row.parent].epoch == row.parent_epoch;
        auto const object_lives = pages[row.object].generation == row.object_generation;
        hash.add(u64 { i } << 32 | row.object);
        hash.add(u64 { row.owner } << 32 | row.rights);
        hash.add(row.badge << 8 | (parent_lives ? 2u : 0u) | (object_lives ? 1u : 0u));
        hash.add(u64 { parent_lives ? row.parent : 0 } << 32 | row.watch);
        hash.add(row.expiry_tick == 0     ? 0
                : row.expiry_tick > ticks ? row.expiry_tick - ticks
                                          : ~0u);
    }
    for (u32 id = 1; id < threads_max; ++id) {
        auto const* thread = kernel.kernel.thread(id);
        if (!thread)
            continue;
        hash.add(u64 { id } << 8 | static_cast<u8>(thread->state));
        auto const queued
            = thread->state == ThreadState::receiving || thread->state == ThreadState::calling;
        hash.add(queued ? reinterpret_cast<u64>(thread->waits_on) : 0);
        hash.add(thread->deadline_ns == 0 ? 0 : thread->deadline_ns / tick_ns - ticks + 2);
        hash.add(thread->state == ThreadState::awaiting_reply ? thread->reply_owner : 0);
        if (thread->state == ThreadState::ready)
            hash.add(thread->next->state == ThreadState::ready
                    ? static_cast<Thread const*>(thread->next)->id
                    : 0);
    }
    hash.add(kernel.current().id);
    for (u32 i = 0; i < pages.size(); ++i) {
        if (pages[i].use != PageUse::object || pages[i].type != ObjectType::port)
            continue;
        auto const& port = *static_cast<Port const*>(kernel.page_at(i));
        hash.add(u64 { i } << 32 | port.receiver);
        hash.add(port.notification);
        hash.add(port.ring_count);
        for (auto const* at = port.queue.next; at != port.queue.end(); at = at->next)
            hash.add(static_cast<Thread const*>(at)->id);
    }
    return hash.value;
}

} // namespace gemel
