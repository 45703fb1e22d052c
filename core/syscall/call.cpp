// The system calls but for port_receive (message.cpp). Order of checks: plain arguments, handle,
// type, rights, resources. A failed call changes nothing but the status.
#include "core/kernel.hpp"
#include "core/object/broker.hpp"

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
    number_ = number;
    me.frame.status() = status_ok; // for as long as nothing else is said
    machine_.attempt([&] {
        if ((number & 0xFF) != static_cast<u8>(Call::port_receive))
            system_call(me, number);
        else if ((number >> 8 & static_cast<u8>(ReceiveFlag::call)) != 0)
            call(me, number);
        else
            system_receive(me, number);
        call_ended();
    });
}

// What the caller hears instead of a result.
[[gnu::noinline]] void Kernel::fail(Error error)
{
    cpu_->current->frame.status() = status_of(error);
    give_up();
}

// Another processor is in the call's way.
[[gnu::noinline]] void Kernel::again()
{
    auto& frame = cpu_->current->frame;
    frame.status() = number_;
    frame.restart_call();
    give_up();
}

[[gnu::noinline]] void Kernel::give_up()
{
    call_ended();
    machine_.give_up();
}

void Kernel::system_call(Thread& me, u64 number)
{
    switch (static_cast<Call>(number & 0xFF)) {
    case Call::port_send:
        if (auto* receiver = send(me.frame.words()))
            make_ready(*receiver);
        return;
    case Call::cap_move:
        return cap_move(me, me.frame.words());
    case Call::time:
        me.frame.words()[2] = machine_.now_ns();
        return;
    case Call::signal:
        return signal(me.frame.words());
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

[[gnu::noinline]] void Kernel::signal(u64 const* words)
{
    signal_port(
        *object_of<Port>(look(words[0], ObjectType::port, rights_of(Right::send))), words[1]);
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
        return give_way(me);
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

void Kernel::port_allocate(Task& task, u64* words)
{
    static_cast<Port*>(object_new(task, ObjectType::port, task, words))->queue.clear();
}

void Kernel::vm_allocate(Task& task, u64* words)
{
    auto const flags = static_cast<u16>(words[2]);
    auto const access = static_cast<u16>(flags & ~vm_flag(VmFlag::region));
    auto const bytes = words[1];
    auto const fresh = (flags & vm_flag(VmFlag::region)) == 0;
    if (fresh && (bytes == 0 || bytes > region_bytes_max))
        fail(bytes == 0 ? Error::invalid : Error::too_big);
    auto* region = fresh ? nullptr : &look(bytes, ObjectType::region, 0);
    auto const address = words[0] != 0 ? words[0] : free_address(task);
    if (fresh) {
        auto const pages = static_cast<u32>((bytes + page_bytes - 1) / page_bytes);
        auto const tables = map_wanted(task, address, access, rights_all) ? 0u : tables_missing_;
        pages_wanted(task, 1 + pages + tables);
        auto* leaf = region_new(task, pages, words);
        region = &rows_[static_cast<u32>(words[2])];
        region_link(task, address, *walk(task, address, Tables::made), leaf, access);
    } else {
        region_map(task, address, *region, access);
    }
    if (words[0] == 0)
        task.next_address = address; // the next search begins behind it
    words[2] = address;
    words[3] = handle_of(*region);
    words[4] = region_bytes(object_of<u64>(*region));
}

// Every region in the range is unmapped, or (not_found) none.
void Kernel::vm_deallocate(Task& task, u64 address, u64 bytes)
{
    constexpr u64 bytes_max = u64 { 1 } << 36;
    if (bytes == 0 || bytes > bytes_max)
        fail(Error::invalid);
    bytes = align_up<u64>(bytes, region_bytes_max);
    for (u64 at = 0; at < bytes; at += region_bytes_max) {
        auto* entry = slot(task, address + at);
        if (!entry || *entry == 0)
            fail(Error::not_found);
    }
    for (u64 at = 0; at < bytes; at += region_bytes_max)
        region_unmap(task, address + at);
}

// In three functions, so that the frequent operations need not save the registers that others use.
[[gnu::noinline]] void Kernel::cap_move(Thread& me, u64* words)
{
    auto const operation = static_cast<CapOperation>(words[2] >> 16 & 0xFF);
    switch (operation) {
    case CapOperation::close: // a dead handle, too: what else would one do with it?
        return row_close(owned(words[0]));
    case CapOperation::derive:
    case CapOperation::badge:
    case CapOperation::move:
        return cap_derive(me, operation, words);
    case CapOperation::revoke:
        return row_kill_children(look(words[0]));
    case CapOperation::destroy:
    case CapOperation::watch:
    case CapOperation::inspect:
    case CapOperation::time_to_live:
        break;
    }
    cap_rarely(operation, words);
}

[[gnu::noinline]] void Kernel::cap_rarely(CapOperation operation, u64* words)
{
    auto& source = look(words[0]);
    switch (operation) {
    case CapOperation::destroy:
        return cap_destroy(source);
    case CapOperation::watch:
        return cap_watch(source, words);
    case CapOperation::inspect:
        return cap_inspect(source, words);
    case CapOperation::time_to_live:
        return cap_limit(source, words[3]);
    case CapOperation::close:
    case CapOperation::revoke:
    case CapOperation::derive:
    case CapOperation::badge:
    case CapOperation::move:
        break;
    }
    fail(Error::invalid);
}

[[gnu::noinline]] void Kernel::cap_derive(Thread& me, CapOperation operation, u64* words)
{
    auto& source = look(words[0]);
    auto& to = words[1] == 0
        ? *me.task
        : *object_of<Task>(look(words[1], ObjectType::task, rights_of(Right::grant)));
    auto const rights = static_cast<Rights>(words[2]);
    if (!has(source.rights, Right::derive))
        fail(Error::no_rights);
    if (to.dead)
        fail(Error::dead);
    if (operation == CapOperation::move) {
        passable(source);
        if (to.index != source.owner && to.rows == 0)
            fail(Error::quota);
        words[2] = row_move(source, to);
        return;
    }
    // send_once may be added: it only takes away.
    auto const allowed = static_cast<Rights>(source.rights | static_cast<Rights>(Right::send_once)
        | (has(source.rights, Right::send) ? static_cast<Rights>(Right::call) : 0));
    if ((rights & ~allowed) != 0)
        fail(Error::no_rights);
    auto badge = source.badge;
    if (operation == CapOperation::badge) {
        auto const broker = source.type == ObjectType::broker;
        if (broker ? !narrows(source.badge, words[3]) : source.badge != 0)
            fail(Error::no_rights);
        badge = words[3];
    }
    if (source.depth >= row_depth_max || source.children == 0xFFFF || source.epoch == row_epoch_max)
        fail(Error::too_big);
    row_wanted(to);
    auto& row = row_new(to, source.object, rights, &source);
    row.badge = badge;
    receiver_is(row);
    words[2] = handle_of(row);
}

void Kernel::cap_destroy(Row& source)
{
    if (!has(source.rights, Right::destroy))
        fail(Error::no_rights);
    if (source.type == ObjectType::task) {
        auto& task = *object_of<Task>(source);
        if (task.dead)
            fail(Error::dead);
        for (auto const* of = cpu_->current->task; of->index != 0; of = tasks_[of->creator])
            if (of == &task)
                fail(Error::invalid); // the caller would end with it
        return task_destroy(task); // its name stays until task_reap is done
    }
    object_destroy(source);
    row_close(source);
}

void Kernel::cap_limit(Row& source, u64 nanoseconds)
{
    constexpr u64 nanoseconds_max = u64 { 1 } << 54; // 208 days
    if (nanoseconds > nanoseconds_max)
        fail(Error::invalid);
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
    if (bits == 0 || (bits & (bits - 1)) != 0)
        fail(Error::invalid); // exactly one bit
    auto& port = look(words[3], ObjectType::port, rights_of(Right::send));
    source.watch = index_of(port);
    source.watch_generation = port.generation;
    source.watch_bit = static_cast<u8>(__builtin_ctzll(bits));
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
    auto& thread = thread_new(*me.task, *me.task, words, me.priority, words);
    copy_name(thread.name, words + 3);
    thread.fault_row = me.fault_row;
    thread.fault_generation = me.fault_generation;
    make_ready(thread);
}

void Kernel::switch_to(Thread& me, u64 const* words)
{
    if (scheduler_task_ != me.task_index)
        fail(Error::no_rights_sched);
    auto& thread = *object_of<Thread>(look(words[0], ObjectType::thread, 0));
    if (thread.state != ThreadState::ready || (thread.cpus & cpu_->bit) == 0)
        fail(Error::not_runnable);
    unready(thread);
    make_ready(me);
    cpu_->budget = static_cast<u32>(words[1]);
    run(thread);
}

void Kernel::debug_print(u64 const* words)
{
    if (words[0] > debug_print_max)
        fail(Error::too_big);
    for (u64 i = 0; i < words[0]; ++i)
        machine_.console_write(static_cast<char>(words[2 + i / 8] >> (i % 8 * 8)));
}

} // namespace gemel
