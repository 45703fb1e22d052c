#include "tests/model/tiny_system.hpp"

#include "core/base/assert.hpp"

namespace gemel {

namespace {

constexpr u64 number_of(Call call, unsigned flags = 0)
{
    return static_cast<u64>(call) | u64 { flags } << 8;
}
constexpr auto flag_call = static_cast<unsigned>(ReceiveFlag::call);
constexpr auto flag_send_first = static_cast<unsigned>(ReceiveFlag::send_first);
constexpr auto flag_poll = static_cast<unsigned>(ReceiveFlag::poll);

// Which acts are on one of the task's capabilities; the others are on nothing or on a call.
constexpr bool needs_capability(Act act)
{
    switch (act) {
    case Act::reply:
    case Act::yield:
    case Act::allocate:
    case Act::spawn:
    case Act::end:
    case Act::fault:
    case Act::interrupt:
    case Act::tick:
        return false;
    default:
        return true;
    }
}

constexpr u32 interrupt_line = 3;

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

TinySystem::TinySystem(u64 rows_each)
{
    make_tasks(rows_each);
}

void TinySystem::make_tasks(u64 rows_each)
{
    auto const broker = kernel.capability("broker-task");
    auto const run_thread = [&](u64 task, u64 priority) {
        kernel.operate(broker, Operation::thread_new, { task, 1, 4096, 0, priority, 0 });
        auto const thread = kernel.word(2);
        kernel.operate(broker, Operation::thread_run, { thread });
        ASSERT(kernel.status() == status_ok);
        return thread;
    };
    constexpr u64 pages = 16;
    auto const rows = rows_each + 3; // its brokers
    constexpr u64 threads_quota = 2;
    for (auto& task : tasks_) {
        kernel.operate(broker, Operation::task_new, { pages, rows, threads_quota, 'a', 0 });
        ASSERT(kernel.status() == status_ok);
        task = kernel.word(2);
    }
    u64 const threads[]
        = { run_thread(tasks_[0], 3), run_thread(tasks_[0], 3), run_thread(tasks_[1], 3) };
    run_thread(kernel.capability("task-self"), 0);
    for (u32 id = 1; id < threads_max; ++id)
        if (auto const* thread = kernel.kernel.thread(id); thread) {
            last_thread_ = id;
            if (thread->priority == 0)
                idle_thread_ = id;
        }
    for (unsigned i = 0; i < 2; ++i) {
        auto const give = [&](char const* name) {
            kernel.trap({ kernel.capability(name), tasks_[i], rights_of(Right::call) },
                number_of(Call::cap_move));
            ASSERT(kernel.status() == status_ok);
            return kernel.word(2);
        };
        makers_[i] = give("broker-task");
        schedulers_[i] = give("broker-sched");
        binders_[i] = give("broker-irq");
    }
    auto const rows_now = kernel.kernel.rows();
    for (u32 i = 0; i < rows_now.size(); ++i)
        if (rows_now[i].owner != 0)
            first_row_ = i + 1;
    // What is given back is taken first, so no more are ever touched.
    rows_stop_ = first_row_ + static_cast<u32>(2 * rows_each) + 1;
    threads_stop_ = last_thread_ + 3;
    ASSERT(rows_stop_ < rows_end && threads_stop_ <= threads_end);
    // Each task holds the other, so that it may give it capabilities and end it, and a thread of
    // it.
    for (unsigned i = 0; i < 2; ++i)
        for (auto const handle : { tasks_[1 - i], threads[i == 0 ? 2 : 0] }) {
            kernel.trap({ handle, tasks_[i], rights_all }, number_of(Call::cap_move));
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
    for (u32 i = first_row_; i < rows_stop_ && found.size() < capabilities_max; ++i)
        if (rows[i].owner == task)
            found.push_back(i);
    return found;
}

u64 TinySystem::handle_of(u32 row)
{
    return u64 { kernel.kernel.rows()[row].generation } << 32 | row;
}

// One of the task's capabilities to a port: the same one in states that are alike. 0 without one.
u64 TinySystem::port_of(u16 task)
{
    u64 found = 0;
    u64 best = ~u64 { 0 };
    for (auto const row : rows_of(task)) {
        auto const& at = kernel.kernel.rows()[row];
        if (kernel.kernel.pages()[at.object].type != ObjectType::port)
            continue;
        auto const colour = first_colour(at);
        if (found == 0 || colour < best) {
            found = handle_of(row);
            best = colour;
        }
    }
    return found;
}

// Reply tokens for the calls that the task received; one of nobody without any.
std::vector<u64> TinySystem::open_calls(u16 task)
{
    std::vector<u64> tokens;
    for (u32 id = 1; id < threads_end; ++id) {
        auto const* thread = kernel.kernel.thread(id);
        if (thread && thread->state == ThreadState::awaiting_reply && thread->reply_owner == task)
            tokens.push_back(kernel.reply_token(id));
    }
    if (tokens.empty())
        tokens.push_back(reply_token_bit | 1);
    return tokens;
}

void TinySystem::steps(std::vector<Act> const& acts, std::vector<Step>& out)
{
    out.clear();
    if (idles()) {
        out.push_back({ Act::tick, 0 });
        return;
    }
    auto const task = kernel.current().task->index;
    auto const capabilities = rows_of(task).size();
    auto const calls = open_calls(task).size();
    for (auto const act : acts) {
        auto const count = act == Act::reply ? calls : needs_capability(act) ? capabilities : 1;
        for (usize i = 0; i < count; ++i)
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
    case Act::interrupt:
        kernel.kernel.on_interrupt(interrupt_line);
        return;
    case Act::fault:
        kernel.kernel.on_fault({ .kind = FaultKind::page, .address = 8, .code = 0 });
        return;
    case Act::end:
        return kernel.trap({ own_fault_port, 0 }, number_of(Call::port_receive, flag_call));
    case Act::spawn:
        return kernel.trap({ 1, page_bytes, 0 }, number_of(Call::sched_spawn));
    case Act::reply:
        return kernel.trap({ open_calls(task)[step.capability] }, number_of(Call::port_send));
    case Act::yield:
        return kernel.trap({}, number_of(Call::sched_yield));
    case Act::allocate:
        return kernel.trap({}, number_of(Call::port_allocate));
    default:
        return act_on(step.act, handle_of(rows_of(task)[step.capability]));
    }
}

// Broker operations.
void TinySystem::operate_on(Act act, u64 handle)
{
    auto const task = kernel.current().task->index;
    auto const number = task == kernel.kernel.rows()[makers_[0] & 0xFFFF'FFFF].owner ? 0u : 1u;
    auto const operate = [&](Operation operation, std::initializer_list<u64> arguments) {
        kernel.operate(makers_[number], operation, arguments);
    };
    switch (act) {
    case Act::stop:
        return operate(Operation::thread_stop, { handle });
    case Act::run:
        return operate(Operation::thread_run, { handle });
    case Act::foreign:
    case Act::native:
        return operate(Operation::thread_foreign, { handle, act == Act::foreign ? 1u : 0u });
    case Act::priority:
        return kernel.operate(schedulers_[number], Operation::thread_priority, { handle, 2 });
    case Act::make_thread:
        return operate(Operation::thread_new, { handle, 1, page_bytes, 0, 3, port_of(task) });
    case Act::reap: {
        u64 cursor = 0;
        for (u32 index = 1; index < tasks_max; ++index)
            if (auto const* dead = kernel.kernel.task(index); dead && dead->dead
                && kernel.number_of_page(dead) == kernel.kernel.rows()[handle & 0xFFFF'FFFF].object)
                cursor = dead->reap_cursor;
        return operate(Operation::task_reap, { handle, cursor });
    }
    case Act::schedule:
        return kernel.operate(
            schedulers_[number], Operation::scheduler_register, { handle, 1 << 4 });
    case Act::switch_to:
        return kernel.trap({ handle, 1 }, number_of(Call::sched_switch));
    case Act::bind:
        return kernel.operate(
            binders_[number], Operation::irq_bind, { interrupt_line, handle, 1 << 5 });
    default:
        return;
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
            { open_calls(task).front() }, number_of(Call::port_receive, flag_send_first), handle);
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
        return capability(CapOperation::watch, 0, port_of(task), 1 << 3);
    default:
        return operate_on(act, handle);
    }
}

// --- the fingerprint ---

u64 TinySystem::first_colour(Row const& row)
{
    auto const rows = kernel.kernel.rows();
    auto const& page = kernel.kernel.pages()[row.object];
    auto const ticks = kernel.now_ns / tick_ns;
    auto const parent_lives = row.parent != 0 && rows[row.parent].epoch == row.parent_epoch;
    auto const object_lives = page.generation == row.object_generation;
    auto const watched = row.watch != 0 && rows[row.watch].generation == row.watch_generation;
    Hash hash;
    hash.add(u64 { row.owner } << 32 | row.rights);
    hash.add(row.badge << 8 | (row.parent == 0 ? 8u : 0u) | (watched ? 4u : 0u)
        | (parent_lives ? 2u : 0u) | (object_lives ? 1u : 0u));
    hash.add(u64 { row.depth } << 8 | (watched ? row.watch_bit : 0));
    hash.add(static_cast<u64>(page.type) << 32 | (page.type == ObjectType::port ? 0 : row.object));
    hash.add(row.expiry_tick == 0 ? 0 : row.expiry_tick > ticks ? row.expiry_tick - ticks : ~0u);
    return hash.value;
}

u64 TinySystem::first_colour(Thread const& thread)
{
    auto const waits = thread.state >= ThreadState::receiving;
    auto const ticks = kernel.now_ns / tick_ns;
    Hash hash;
    hash.add(u64 { thread.task->index } << 32 | static_cast<u64>(thread.state) << 24
        | u64 { thread.priority } << 16 | static_cast<u64>(thread.pending) << 8
        | (thread.foreign ? 2u : 0u) | (&thread == &kernel.current() ? 1u : 0u));
    hash.add(!waits || thread.deadline_ns == 0 ? 0 : thread.deadline_ns / tick_ns - ticks + 2);
    hash.add(thread.state == ThreadState::awaiting_reply ? thread.reply_owner : 0);
    if (thread.state == ThreadState::calling) {
        hash.add(thread.call_badge);
        hash.add(thread.call_tag);
    }
    // Some thread that a capability names is not any other.
    hash.add(thread.id <= last_thread_ ? thread.id : 0);
    return hash.value;
}

u64 TinySystem::first_colour(u32 page, Port const& port)
{
    Hash hash;
    hash.add(kernel.kernel.pages()[page].owner);
    hash.add(port.notification);
    hash.add(port.ring_count);
    for (u32 i = 0; i < port.ring_count; ++i) {
        auto const* message = port.ring[(port.ring_head + i) % port_ring_messages];
        hash.add(message[0]);
        hash.add(message[1]);
    }
    return hash.value;
}

u64 TinySystem::colour_of(u32 row)
{
    return row < first_row_ ? row : row < rows_end ? row_colours_[row] : 0;
}

u64 TinySystem::colour_of_handle(u64 handle)
{
    auto const row = static_cast<u32>(handle);
    auto const lives = row < rows_end && kernel.kernel.rows()[row].generation == handle >> 32;
    return lives ? colour_of(row) : 0;
}

void TinySystem::find_objects()
{
    port_count_ = 0;
    auto const pages = kernel.kernel.pages();
    auto const rows = kernel.kernel.rows();
    ASSERT(rows[rows_stop_].owner == 0);
    for (u32 i = first_row_; i < rows_stop_; ++i) {
        auto const& row = rows[i];
        if (row.owner == 0 || row.parent != 0 || pages[row.object].type != ObjectType::port
            || pages[row.object].generation != row.object_generation)
            continue; // the first capability to a port stands for it
        ASSERT(port_count_ < objects_max);
        ports_[port_count_++] = row.object;
    }
}

void TinySystem::first_colours()
{
    for (u32 i = first_row_; i < rows_stop_; ++i) {
        auto const& row = kernel.kernel.rows()[i];
        row_colours_[i] = row.owner == 0 ? 0 : first_colour(row);
    }
    for (u32 id = 1; id < threads_stop_; ++id) {
        auto const* thread = kernel.kernel.thread(id);
        thread_colours_[id] = thread ? first_colour(*thread) : 0;
    }
    for (usize i = 0; i < port_count_; ++i)
        port_colours_[i] = first_colour(ports_[i], *static_cast<Port*>(kernel.page_at(ports_[i])));
}

// Each takes on something of its neighbours: rows of their parents, objects and watchers, ports of
// their capabilities and queues, threads of what they wait on.
void TinySystem::mix_colours()
{
    auto const rows = kernel.kernel.rows();
    auto const old_rows = row_colours_;
    auto const old_threads = thread_colours_;
    auto const old_ports = port_colours_;
    std::array<u64, objects_max> named {};
    for (u32 i = first_row_; i < rows_stop_; ++i) {
        auto const& row = rows[i];
        if (row.owner == 0)
            continue;
        Hash hash;
        hash.add(old_rows[i]);
        auto const parent_lives = row.parent != 0 && rows[row.parent].epoch == row.parent_epoch;
        auto const old_colour = [&](u32 of) { return of < first_row_ ? of : old_rows[of]; };
        hash.add(parent_lives ? old_colour(row.parent) : 0);
        auto const watched = row.watch != 0 && rows[row.watch].generation == row.watch_generation;
        hash.add(watched ? old_colour(row.watch) : 0);
        for (usize k = 0; k < port_count_; ++k)
            if (row.object == ports_[k]
                && kernel.kernel.pages()[row.object].generation == row.object_generation) {
                hash.add(old_ports[k]);
                named[k] += old_rows[i] * 0x9E37'79B9'7F4A'7C15;
            }
        row_colours_[i] = hash.value;
    }
    for (usize k = 0; k < port_count_; ++k) {
        auto const& port = *static_cast<Port*>(kernel.page_at(ports_[k]));
        Hash hash;
        hash.add(old_ports[k]);
        hash.add(named[k]);
        hash.add(colour_of_handle(u64 { port.receiver_generation } << 32 | port.receiver));
        for (auto const* at = port.queue.next; at != port.queue.end(); at = at->next)
            hash.add(old_threads[static_cast<Thread const*>(at)->id]);
        for (u32 i = 0; i < port.ring_count; ++i) {
            auto const* message = port.ring[(port.ring_head + i) % port_ring_messages];
            if ((message[1] >> tag_capabilities_shift & 3) != 0)
                hash.add(colour_of_handle(message[7]));
        }
        port_colours_[k] = hash.value;
    }
    for (u32 id = 1; id < threads_stop_; ++id) {
        auto const* thread = kernel.kernel.thread(id);
        if (!thread)
            continue;
        Hash hash;
        hash.add(old_threads[id]);
        auto const queued
            = thread->state == ThreadState::receiving || thread->state == ThreadState::calling;
        for (usize k = 0; k < port_count_; ++k)
            if (queued && thread->waits_on == kernel.page_at(ports_[k]))
                hash.add(old_ports[k]);
        hash.add(colour_of_handle(u64 { thread->fault_generation } << 32 | thread->fault_row));
        thread_colours_[id] = hash.value;
    }
}

u64 TinySystem::fingerprint()
{
    find_objects();
    first_colours();
    for (unsigned round = 0; round < 3; ++round)
        mix_colours();
    u64 sum = 0;
    auto const add = [&](u64 colour) {
        Hash hash;
        hash.add(colour);
        sum += hash.value;
    };
    for (u32 i = first_row_; i < rows_stop_; ++i)
        if (row_colours_[i] != 0)
            add(row_colours_[i]);
    for (u32 id = 1; id < threads_stop_; ++id)
        if (thread_colours_[id] != 0)
            add(thread_colours_[id] + 1);
    for (usize k = 0; k < port_count_; ++k)
        add(port_colours_[k] + 2);
    Hash hash;
    hash.add(sum);
    auto const& cpu = kernel.kernel.cpu();
    for (u32 level = 0; level < priority_levels; ++level)
        for (auto const* at = cpu.ready[level].next; at != cpu.ready[level].end(); at = at->next)
            hash.add(thread_colours_[static_cast<Thread const*>(at)->id]);
    for (u32 index = 2; index < 4; ++index) {
        auto const* task = kernel.kernel.task(index);
        hash.add(!task ? 0
                       : 1 | u64 { task->pages } << 40 | u64 { task->rows } << 24
                    | u64 { task->threads } << 8 | (task->dead ? 2u : 0u));
        hash.add(task ? task->reap_cursor : 0);
    }
    hash.add(cpu.budget);
    auto const [scheduler, scheduler_port, interrupt_port] = kernel.registrations(interrupt_line);
    hash.add(scheduler);
    hash.add(colour_of_handle(scheduler_port));
    hash.add(colour_of_handle(interrupt_port));
    return hash.value;
}

} // namespace gemel
