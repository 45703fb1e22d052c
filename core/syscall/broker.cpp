// Broker operations: they finish in the trap that called them. The table in core/abi/operation.hpp
// says which words are handles, of which type and with which rights; the badge says what may be
// done at all.
#include "core/object/broker.hpp"
#include "core/base/assert.hpp"
#include "core/kernel.hpp"

#include <algorithm>
#include <iterator>

namespace gemel {

namespace {

constexpr u32 operation_first = 0x10;
constexpr u32 operation_end = 0x52;

// A handle argument in sixteen bits: its word, its type, the rights that it needs.
constexpr unsigned argument_type_shift = 3;
constexpr unsigned argument_rights_shift = 6;
constexpr unsigned argument_bits = 16;

consteval u32 packed(HandleArgument const& wanted)
{
    ASSERT(wanted.word <= 7 && static_cast<u8>(wanted.type) <= 7 && wanted.rights <= rights_mask);
    return wanted.word | static_cast<u32>(wanted.type) << argument_type_shift
        | static_cast<u32>(wanted.rights) << argument_rights_shift;
}

// The word that a badge's argument range narrows is the same for every operation that has one.
constexpr unsigned narrowed_word = 2;
constexpr u8 narrowed = 0x80;

// The first argument and the second.
consteval u32 wanted_of(OperationInfo const& info)
{
    return packed(info.first) | packed(info.second) << argument_bits;
}

// How many different ones there are.
consteval usize wants()
{
    usize count = 0;
    for (auto const* at = operations.begin(); at != operations.end(); ++at)
        count += std::ranges::find(operations, wanted_of(*at), wanted_of) == at;
    return count;
}

// The table without its names, what several want only once; and by operation number where it
// stands, counted from 1, and whether it is narrowed. 0: there is no such operation.
struct PolicyTable {
    u32 wanted[wants()];
    u8 at[operation_end - operation_first];
};

consteval PolicyTable make_policy()
{
    PolicyTable table {};
    u8 count = 0;
    for (auto const& info : operations) {
        ASSERT(info.narrowed_word == 0 || info.narrowed_word == narrowed_word);
        auto const wanted = wanted_of(info);
        auto const* const at = std::ranges::find(table.wanted, table.wanted + count, wanted);
        if (at == table.wanted + count)
            table.wanted[count++] = wanted;
        table.at[static_cast<u8>(info.operation) - operation_first]
            = static_cast<u8>((at - table.wanted + 1) | (info.narrowed_word != 0 ? narrowed : 0));
    }
    return table;
}

constexpr PolicyTable policy = make_policy();

consteval OperationInfo wanted_by(Operation operation)
{
    return *std::ranges::find(operations, operation, &OperationInfo::operation);
}

// The narrowed argument, and with it everything the operation reaches from there: pages, ports.
bool arguments_allowed(u64 badge, Operation operation, u64 const* words)
{
    auto const pages = operation == Operation::region_physical;
    auto const ports = operation == Operation::pio_read || operation == Operation::pio_write;
    auto const shift = pages ? physical_range_shift : 0;
    auto const first = words[narrowed_word];
    auto const more = (pages || ports) && words[3] != 0 ? words[3] - 1 : 0;
    return more <= ~first && allows_argument(badge, first >> shift)
        && allows_argument(badge, (first + more) >> shift);
}

} // namespace

// The row that the operation wants; null: none.
Row* Kernel::argument(u32 packed, u64 const* words)
{
    auto const word = packed & 7;
    if (word == 0)
        return nullptr;
    return &look(words[word], static_cast<ObjectType>(packed >> argument_type_shift & 7),
        static_cast<Rights>(packed >> argument_rights_shift & rights_mask));
}

[[gnu::noinline]] void Kernel::broker_call(Row const& broker, u32 number, u64* words)
{
    auto const operation = static_cast<Operation>(number); // once it is known to be one
    auto const index = number - operation_first; // below the first: very large
    u32 const at = index < std::size(policy.at) ? policy.at[index] : 0;
    if (at == 0)
        fail(Error::bad_call);
    if (!allows(broker.badge, operation) || !has(broker.rights, Right::call)
        || ((at & narrowed) != 0 && !arguments_allowed(broker.badge, operation, words)))
        fail(Error::no_rights);
    auto const wanted = policy.wanted[(at & ~u32 { narrowed }) - 1];
    auto* const first = argument(wanted, words);
    auto* const second = argument(wanted >> argument_bits, words);
    operate(operation, first, second, words);
}

// The fill that a reply to a fault carries, if nothing stands against it. False: nothing was done.
bool Kernel::fill_at_once(Thread const& me, u64 const* words)
{
    struct Wanted {
        u64 asked; // of a row's nature
        u64 answer; // but for the owner
        u64 word;
    };
    constexpr auto of = [](HandleArgument const& handle) {
        return Wanted { nature_of(0xFFFF, handle.rights, ObjectType { 0xFF }),
            nature_of(0, handle.rights, handle.type), handle.word };
    };
    static constexpr Wanted all[] = { of({ 6, ObjectType::broker, rights_of(Right::call) }),
        of(wanted_by(Operation::fill).first), of(wanted_by(Operation::fill).second) };
    Row* rows[std::size(all)];
    for (usize i = 0; i < std::size(all); ++i) {
        auto const handle = words[all[i].word];
        auto const index = static_cast<u32>(handle);
        if (index >= row_count_)
            return false;
        auto& row = rows_[index];
        if (row.generation != static_cast<u32>(handle >> 32) || row.stamp != validity_epoch_
            || ((row.nature() ^ me.task_index) & all[i].asked) != all[i].answer)
            return false;
        rows[i] = &row;
    }
    return allows(rows[0]->badge, Operation::fill) && region_fill(*rows[1], *rows[2], words);
}

// Every operation of the table, so that a new one does not build until it is here.
[[gnu::noinline]] void Kernel::operate(Operation operation, Row* first, Row* second, u64* words)
{
    auto* const object = first ? page_at(first->object) : nullptr;
    auto* const thread = static_cast<Thread*>(object); // when the table says so
    auto* const leaf = static_cast<u64*>(object);
    switch (operation) {
    case Operation::task_new:
        return task_create(words);
    case Operation::thread_new:
        return thread_create(*static_cast<Task*>(object), words);
    case Operation::thread_run:
        return thread_run(*thread);
    case Operation::thread_stop:
        return thread_stop(*thread);
    case Operation::thread_get:
        words[2] = *register_of(*thread, words[3]);
        return;
    case Operation::thread_set:
        *register_of(*thread, words[3]) = words[4];
        return thread->frame.registers_set();
    case Operation::thread_foreign:
        if (words[3] > 1)
            fail(Error::invalid);
        thread->foreign = words[3] != 0;
        return;
    case Operation::thread_priority:
        return thread_priority(*thread, words[3]);
    case Operation::thread_affinity:
        return thread_affinity(*thread, words[3]);
    case Operation::task_reap:
        return task_reap_step(*static_cast<Task*>(object), words);
    case Operation::map:
    case Operation::unmap:
        return operate_mapping(operation, *static_cast<Task*>(object), second, words);
    case Operation::protect:
        return region_protect(*first, words);
    case Operation::fill:
        if (!region_fill(*first, *second, words))
            fail(Error::invalid);
        return;
    case Operation::region_address:
        return region_address(leaf, words);
    case Operation::region_physical:
        region_physical(*cpu_->current->task, words[2], words[3], words[4], words);
        return;
    case Operation::irq_bind:
    case Operation::irq_acknowledge:
        return interrupt_enable(operation == Operation::irq_bind ? first : nullptr, words);
    case Operation::msi_allocate:
        return msi_allocate(*first, words);
    case Operation::pio_read:
    case Operation::pio_write:
        return port_access(operation, words);
    case Operation::scheduler_register:
        scheduler_task_ = cpu_->current->task_index;
        scheduler_row_ = index_of(*first);
        scheduler_generation_ = first->generation;
        scheduler_bits_ = words[3];
        return;
    case Operation::power_off:
        if (words[2] > 0xFF)
            fail(Error::invalid);
        return machine_.power_off(static_cast<u8>(words[2]));
    case Operation::entropy:
        words[2] = machine_.entropy();
        return;
    case Operation::audit_row:
        return audit_row(words);
    case Operation::audit_thread:
        return audit_thread(words);
    case Operation::audit_task:
        return audit_task(words);
    case Operation::audit_port:
        return audit_port(words);
    case Operation::audit_totals:
        return audit_totals(words);
    }
}

void Kernel::task_create(u64* words)
{
    if ((words[2] | words[3] | words[4]) >> 32)
        fail(Error::quota);
    auto& creator = *cpu_->current->task;
    auto& task = task_new(creator, static_cast<u32>(words[2]), static_cast<u32>(words[3]),
        static_cast<u32>(words[4]), words + 5);
    words[2] = handle_of(row_new(creator, number_of(&task), rights_all, nullptr));
    words[3] = task.index;
    words[4] = machine_.user_begin(task.index);
    words[5] = machine_.user_end(task.index);
}

void Kernel::thread_create(Task& task, u64* words)
{
    if (task.dead)
        fail(Error::dead);
    if (words[6] >= priority_levels)
        fail(Error::invalid);
    auto* const fault_port
        = words[7] != 0 ? &port_with_one(look(words[7]), Right::send | Right::call) : nullptr;
    auto& thread
        = thread_new(task, *cpu_->current->task, words + 3, static_cast<u8>(words[6]), words);
    __builtin_memcpy(thread.name, task.name, sizeof task.name);
    if (fault_port) {
        thread.fault_row = index_of(*fault_port);
        thread.fault_generation = fault_port->generation;
    }
}

void Kernel::thread_run(Thread& thread)
{
    if (thread.state != ThreadState::stopped || thread.task->dead)
        fail(Error::not_runnable);
    settle(thread);
    make_ready(thread);
}

void Kernel::thread_stop(Thread& thread)
{
    if (&thread == cpu_->current)
        fail(Error::invalid);
    // A wait of its own is over: its answer will not come.
    auto const waits
        = thread.state >= ThreadState::receiving && thread.pending == PendingCall::message;
    halt(thread);
    if (waits)
        thread.frame.status() = status_of(Error::interrupted);
    settle(thread);
}

// There must be such a register, and the thread must not run.
u64* Kernel::register_of(Thread& thread, u64 index)
{
    auto* value = index <= 0xFFFF ? thread.frame.register_at(static_cast<u32>(index)) : nullptr;
    if (!value || thread.state == ThreadState::running)
        fail(Error::invalid);
    settle(thread);
    return value;
}

void Kernel::thread_priority(Thread& thread, u64 priority)
{
    if (priority >= priority_levels)
        fail(Error::invalid);
    auto const queued = thread.state == ThreadState::ready;
    if (queued)
        unready(thread);
    thread.priority = static_cast<u8>(priority);
    if (queued)
        make_ready(thread);
}

// Processors that are not there are not asked for: a mask without any that is, is refused.
void Kernel::thread_affinity(Thread& thread, u64 cpus)
{
    cpus &= (u64 { 1 } << cpu_count_) - 1;
    if (cpus == 0)
        fail(Error::invalid);
    auto const queued = thread.state == ThreadState::ready;
    if (queued)
        unready(thread);
    thread.cpus = static_cast<u8>(cpus);
    if (queued)
        make_ready(thread);
    else if (thread.state == ThreadState::running)
        machine_.interrupt_cpu(thread.cpu); // it may have to send it away
}

void Kernel::task_reap_step(Task& task, u64* words)
{
    if (!task.dead || words[3] != task.reap_cursor)
        fail(task.dead ? Error::invalid : Error::not_runnable);
    // Between its threads and the rest come the tasks that it made, the last of a line first.
    auto* at = &task;
    for (u32 i = 1; words[3] != 0 && i < tasks_max; ++i)
        if (tasks_[i] && tasks_[i]->creator == at->index) {
            at = tasks_[i];
            i = 0;
        }
    auto const next = task_reap(*at, at->reap_cursor);
    if (next != 0)
        at->reap_cursor = next;
    words[2] = at == &task ? next : words[3];
}

void Kernel::operate_mapping(Operation operation, Task& task, Row* region, u64* words)
{
    if (task.dead)
        fail(Error::dead);
    if (operation == Operation::map)
        region_map(task, words[4], *region, static_cast<u16>(words[5]));
    else
        region_unmap(task, words[3]);
}

void Kernel::region_address(u64 const* leaf, u64* words)
{
    if (words[3] >= region_pages_max || leaf[words[3]] == 0)
        fail(Error::invalid);
    words[2] = machine_.entry_target(leaf[words[3]]);
}

void Kernel::bind_interrupt(u32 line, Row const& port, u64 bits)
{
    interrupts_[line] = { index_of(port), port.generation, bits };
}

// Binds the line when a port is given; unmasks it in any case.
void Kernel::interrupt_enable(Row const* port, u64 const* words)
{
    if (words[2] == arch::tick_line || words[2] >= arch::interrupt_lines_max)
        fail(Error::invalid);
    if (port)
        bind_interrupt(static_cast<u32>(words[2]), *port, words[4]);
    machine_.interrupt_unmask(static_cast<u32>(words[2]));
}

void Kernel::msi_allocate(Row const& port, u64* words)
{
    if (words[2] >= arch::interrupt_lines_max)
        fail(Error::invalid);
    auto const target = machine_.msi_target(static_cast<u32>(words[2]));
    // The broker's range holds for the line that it becomes.
    if (target.line == 0 || !allows_argument(look(words[0]).badge, target.line))
        fail(Error::unavailable);
    bind_interrupt(target.line, port, words[4]);
    words[2] = target.address;
    words[3] = target.data;
    words[4] = target.line;
}

void Kernel::port_access(Operation operation, u64* words)
{
    if (words[2] > 0xFFFF || (words[3] != 1 && words[3] != 2 && words[3] != 4))
        fail(Error::invalid);
    auto const port = static_cast<u32>(words[2]);
    auto const bytes = static_cast<u32>(words[3]);
    if (operation == Operation::pio_read)
        words[2] = machine_.pio_read(port, bytes);
    else
        machine_.pio_write(port, bytes, static_cast<u32>(words[4]));
}

void Kernel::audit_totals(u64* words)
{
    words[2] = total_pages_;
    words[3] = free_pages_;
    words[4] = row_count_;
    words[5] = free_rows_;
    words[6] = thread_count_ | u64 { task_count_ } << 32;
    words[7] = calls_;
}

void Kernel::audit_row(u64* words)
{
    if (words[2] >= row_count_)
        fail(Error::invalid);
    auto const& row = rows_[words[2]];
    if (row.owner == 0) {
        for (unsigned i = 2; i < 8; ++i)
            words[i] = 0;
        return;
    }
    words[2] = row.owner | u64 { static_cast<u8>(row.type) } << 32;
    words[3] = row.rights | u64 { row.depth } << 16 | u64 { row.children } << 32;
    words[4] = row.badge;
    words[5] = row.object;
    words[6] = row.parent;
    words[7] = row.generation;
}

void Kernel::audit_thread(u64* words)
{
    auto const* thread = words[2] < threads_max ? threads_[words[2]] : nullptr;
    if (!thread)
        fail(words[2] < threads_max ? Error::not_found : Error::invalid);
    words[2] = thread->task_index | u64 { static_cast<u8>(thread->state) } << 32
        | u64 { thread->priority } << 40;
    name_words(words + 3, thread->name);
    words[5] = thread->run_ns;
    auto const queued
        = thread->state == ThreadState::receiving || thread->state == ThreadState::calling;
    words[6] = queued ? number_of(thread->waits_on) : 0;
    words[7] = thread->reply_owner;
}

void Kernel::audit_task(u64* words)
{
    auto const* task = words[2] != 0 && words[2] < tasks_max ? tasks_[words[2]] : nullptr;
    if (!task)
        fail(words[2] < tasks_max ? Error::not_found : Error::invalid);
    words[2] = task->pages | u64 { task->rows } << 32;
    name_words(words + 3, task->name);
    words[5] = (task->threads_quota - task->threads) | u64 { task->dead } << 32;
    words[6] = task->pages_quota;
    words[7] = task->rows_quota;
}

void Kernel::audit_port(u64* words)
{
    if (words[2] >= page_count_ || pages_[words[2]].type != ObjectType::port)
        fail(words[2] < page_count_ ? Error::not_found : Error::invalid);
    auto& port = *static_cast<Port*>(page_at(static_cast<u32>(words[2])));
    u64 receivers = 0;
    u64 callers = 0;
    for (auto const* thread = port.queue.next; thread != port.queue.end(); thread = thread->next)
        ++(thread->state == ThreadState::receiving ? receivers : callers);
    words[2] = receiving_task(port).index;
    words[3] = port.ring_count;
    words[4] = receivers;
    words[5] = callers;
    words[6] = port.notification;
}

} // namespace gemel
