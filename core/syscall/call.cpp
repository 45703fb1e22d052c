// The system calls but for port_receive (message.cpp). Order of checks: plain arguments, handle,
// type, rights, resources. A failed call changes nothing but the status.
#include "core/kernel.hpp"
#include "core/object/broker.hpp"

#include <bit>

namespace gemel {

namespace {

constexpr u64 debug_print_max = 48;

constexpr u16 vm_flag(VmFlag flag)
{
    return static_cast<u16>(flag);
}

} // namespace

// The general way, which every call can take.
[[gnu::noinline]] void Kernel::any_call(Thread& me, u64 number)
{
    if ((number & 0xFF) == static_cast<u8>(Call::port_receive)) [[likely]]
        system_receive(me, number);
    else
        system_call(me, number);
    if (error_ != 0) [[unlikely]] {
        if (error_ == made_again) {
            me.frame.status() = number;
            me.frame.restart_call();
        } else {
            me.frame.status() = status_of(static_cast<Error>(error_));
        }
    }
    if (cpu_->ready_levels != 0) [[unlikely]]
        preempt();
}

void Kernel::system_call(Thread& me, u64 number)
{
    auto* words = me.frame.words();
    auto& task = *me.task;
    me.frame.status() = status_ok;
    switch (static_cast<Call>(number & 0xFF)) {
    case Call::port_send:
        if (auto* receiver = send(words))
            make_ready(*receiver);
        return;
    case Call::cap_move:
        return cap_move(task, words);
    case Call::time:
        words[2] = machine_.now_ns();
        return;
    case Call::signal:
        if (auto* row = look(words[0], ObjectType::port, rights_of(Right::send)))
            signal_port(*object_of<Port>(*row), words[1]);
        return;
    case Call::port_receive:
        return;
    case Call::port_allocate:
    case Call::vm_allocate:
    case Call::vm_deallocate:
    case Call::sched_spawn:
    case Call::sched_yield:
    case Call::sched_switch:
    case Call::debug_print:
        break;
    }
    rare_call(me, number);
}

// What takes long anyway; in a function of its own, so that the others need not save the registers
// that it uses.
[[gnu::noinline]] void Kernel::rare_call(Thread& me, u64 number)
{
    auto* words = me.frame.words();
    auto& task = *me.task;
    switch (static_cast<Call>(number & 0xFF)) {
    case Call::port_allocate:
        return port_allocate(task, words);
    case Call::vm_allocate:
        return vm_allocate(task, words);
    case Call::vm_deallocate:
        return vm_deallocate(task, words[0], words[1]);
    case Call::sched_spawn:
        return spawn(me, words);
    case Call::sched_yield:
        if (cpu_->ready_levels == 0)
            return;
        make_ready(me);
        return dispatch();
    case Call::sched_switch:
        return switch_to(me, words);
    case Call::debug_print:
        return debug_print(words);
    case Call::port_send:
    case Call::port_receive:
    case Call::cap_move:
    case Call::time:
    case Call::signal:
        return;
    }
    fail(Error::bad_call);
}

// The first row of a new object, its handle into word 2. False: the error is pending.
bool Kernel::answer_new(Task& owner, void* object, u64* words)
{
    auto* row = row_new(owner, number_of(object), rights_all, nullptr);
    if (!row)
        return false;
    words[2] = handle_of(*row);
    return true;
}

void Kernel::port_allocate(Task& task, u64* words)
{
    auto* port = static_cast<Port*>(page_new(&task, PageUse::object, ObjectType::port));
    if (!port)
        return;
    port->queue.clear();
    if (!answer_new(task, port, words))
        page_free(port);
}

void Kernel::vm_allocate(Task& task, u64* words)
{
    auto const flags = static_cast<u16>(words[2]);
    auto const access = static_cast<u16>(flags & ~vm_flag(VmFlag::region));
    Row* region = nullptr;
    auto const fresh = (flags & vm_flag(VmFlag::region)) == 0;
    if (fresh) {
        if (words[1] == 0 || words[1] > region_bytes_max) {
            fail(words[1] == 0 ? Error::invalid : Error::too_big);
            return;
        }
        auto* leaf = region_new(task, static_cast<u32>((words[1] + page_bytes - 1) / page_bytes));
        if (!leaf)
            return;
        region = row_new(task, number_of(leaf), rights_all, nullptr);
        if (!region) {
            region_destroy(leaf);
            return;
        }
    } else {
        region = look(words[1], ObjectType::region, 0);
        if (!region)
            return;
    }
    auto const address = words[0] != 0 ? words[0] : free_address(task);
    if (failed() || !region_map(task, address, *region, access)) {
        if (fresh)
            row_close(*region); // its root row: the memory goes with it
        return;
    }
    words[2] = address;
    words[3] = handle_of(*region);
    words[4] = region_bytes(object_of<u64>(*region));
}

// Every region in the range is unmapped, or (not_found) none.
void Kernel::vm_deallocate(Task& task, u64 address, u64 bytes)
{
    constexpr u64 bytes_max = u64 { 1 } << 36;
    if (bytes == 0 || bytes > bytes_max) {
        fail(Error::invalid);
        return;
    }
    bytes = align_up<u64>(bytes, region_bytes_max);
    for (u64 at = 0; at < bytes; at += region_bytes_max) {
        auto* entry = slot(task, address + at, false);
        if (!entry)
            return;
        if (*entry == 0) {
            fail(Error::not_found);
            return;
        }
    }
    for (u64 at = 0; at < bytes; at += region_bytes_max)
        region_unmap(task, address + at);
}

[[gnu::noinline]] void Kernel::cap_move(Task& task, u64* words)
{
    auto const operation = static_cast<CapOperation>(words[2] >> 16 & 0xFF);
    auto* source = look(words[0]);
    // A dead handle can still be closed: what else would one do with it?
    if (!source && operation == CapOperation::close
        && (error_ == static_cast<u8>(Error::revoked) || error_ == static_cast<u8>(Error::dead))) {
        error_ = 0;
        source = &rows_[static_cast<u32>(words[0])];
    }
    if (!source)
        return;
    switch (operation) {
    case CapOperation::close:
        return row_close(*source);
    case CapOperation::revoke:
        return row_kill_children(*source);
    case CapOperation::destroy:
        return cap_destroy(*source);
    case CapOperation::watch:
        return cap_watch(*source, words);
    case CapOperation::inspect:
        return cap_inspect(*source, words);
    case CapOperation::time_to_live:
        return cap_limit(*source, words[3]);
    case CapOperation::derive:
    case CapOperation::badge:
    case CapOperation::move: {
        auto* to = &task;
        if (words[1] != 0) {
            auto* row = look(words[1], ObjectType::task, rights_of(Right::grant));
            if (!row)
                return;
            to = object_of<Task>(*row);
        }
        return cap_derive(*source, *to, operation, words);
    }
    }
    fail(Error::invalid);
}

void Kernel::cap_derive(Row& source, Task& to, CapOperation operation, u64* words)
{
    auto const rights = static_cast<Rights>(words[2] & 0xFFFF);
    if (!has(source.rights, Right::derive)) {
        fail(Error::no_rights);
        return;
    }
    if (to.dead) {
        fail(Error::dead);
        return;
    }
    if (operation == CapOperation::move) {
        if (auto const handle = row_move(source, to); handle != 0)
            words[2] = handle;
        return;
    }
    // send_once may be added: it only takes away.
    auto const allowed = static_cast<Rights>(source.rights | static_cast<Rights>(Right::send_once)
        | (has(source.rights, Right::send) ? static_cast<Rights>(Right::call) : 0));
    if ((rights & ~allowed) != 0) {
        fail(Error::no_rights);
        return;
    }
    auto badge = source.badge;
    if (operation == CapOperation::badge) {
        auto const broker = source.type == ObjectType::broker;
        if (broker ? !narrows(source.badge, words[3]) : source.badge != 0) {
            fail(Error::no_rights);
            return;
        }
        badge = words[3];
    }
    if (source.depth >= row_depth_max) {
        fail(Error::too_big);
        return;
    }
    auto* row = row_new(to, source.object, rights, &source);
    if (!row)
        return;
    row->badge = badge;
    receiver_is(*row);
    words[2] = handle_of(*row);
}

void Kernel::cap_destroy(Row& source)
{
    if (!has(source.rights, Right::destroy)) {
        fail(Error::no_rights);
        return;
    }
    if (source.type == ObjectType::task) {
        auto& task = *object_of<Task>(source);
        if (task.dead)
            return void(fail(Error::dead));
        for (auto const* of = cpu_->current->task; of->index != 0; of = tasks_[of->creator])
            if (of == &task)
                return void(fail(Error::invalid)); // the caller would end with it
        return task_destroy(task); // its name stays until task_reap is done
    }
    object_destroy(source);
    if (!failed())
        row_close(source);
}

void Kernel::cap_limit(Row& source, u64 nanoseconds)
{
    constexpr u64 nanoseconds_max = u64 { 1 } << 54; // 208 days
    if (nanoseconds > nanoseconds_max) {
        fail(Error::invalid);
        return;
    }
    auto const tick
        = static_cast<u32>((machine_.now_ns() + nanoseconds + tick_ns - 1) / tick_ns) + 1;
    if (source.expiry_tick == 0 || tick < source.expiry_tick)
        source.expiry_tick = tick;
    if (tick < next_expiry_)
        next_expiry_ = tick;
    ++validity_epoch_; // what was derived from it is checked against the new limit
    if (nanoseconds == 0)
        source.expiry_tick = 1;
}

void Kernel::cap_watch(Row& source, u64 const* words)
{
    auto const bits = words[4];
    if (bits == 0 || (bits & (bits - 1)) != 0) {
        fail(Error::invalid); // exactly one bit
        return;
    }
    auto* port = look(words[3], ObjectType::port, rights_of(Right::send));
    if (!port)
        return;
    source.watch = index_of(*port);
    source.watch_generation = port->generation;
    source.watch_bit = static_cast<u8>(std::countr_zero(bits));
}

void Kernel::cap_inspect(Row& source, u64* words)
{
    words[2] = source.rights | u64 { static_cast<u8>(source.type) } << 16
        | u64 { source.children } << 32;
    words[3] = source.badge;
    words[4] = source.object;
    words[5] = source.depth;
}

void Kernel::spawn(Thread& me, u64* words)
{
    auto* thread = thread_new(*me.task, words[0], words[1], words[2], me.priority);
    if (!thread)
        return;
    copy_name(thread->name, words + 3);
    thread->fault_row = me.fault_row;
    thread->fault_generation = me.fault_generation;
    if (!answer_new(*me.task, thread, words)) {
        thread_free(*thread);
        return;
    }
    make_ready(*thread);
}

void Kernel::switch_to(Thread& me, u64 const* words)
{
    if (scheduler_task_ != me.task->index) {
        fail(Error::no_rights_sched);
        return;
    }
    auto* row = look(words[0], ObjectType::thread, 0);
    if (!row)
        return;
    auto& thread = *object_of<Thread>(*row);
    if (thread.state != ThreadState::ready || (thread.cpus & cpu_->bit) == 0) {
        fail(Error::not_runnable);
        return;
    }
    unready(thread);
    make_ready(me);
    cpu_->budget = static_cast<u32>(words[1]);
    run(thread);
}

void Kernel::debug_print(u64 const* words)
{
    if (words[0] > debug_print_max) {
        fail(Error::too_big);
        return;
    }
    for (u64 i = 0; i < words[0]; ++i)
        machine_.console_write(static_cast<char>(words[2 + i / 8] >> (i % 8 * 8)));
}

} // namespace gemel
