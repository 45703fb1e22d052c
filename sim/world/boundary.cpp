#include "sim/world/boundary.hpp"

namespace gemel::sim {

namespace {

constexpr u64 exit_assertion = 134; // servers/rt/start.hpp
constexpr u64 exit_smashed = 0x100 + exit_assertion;

// Messages by value; what a broker is told holds addresses and is left out.
u64 message_of(Kernel& kernel, Thread& thread, u64 number)
{
    auto const* words = thread.frame.words();
    auto const call = static_cast<Call>(number & 0xFF);
    auto const sends
        = call == Call::port_send || (call == Call::port_receive && (number >> 8 & 3) != 0);
    if (!sends)
        return 0;
    auto const handle = words[0];
    if ((handle & reply_token_bit) == 0) {
        auto const index = static_cast<u32>(handle);
        auto const rows = kernel.rows();
        if (index >= rows.size() || rows[index].object >= kernel.pages().size()
            || kernel.pages()[rows[index].object].type != ObjectType::port)
            return words[1] & 0xFFFF;
    }
    Hash hash;
    for (u32 i = 1; i < 8; ++i)
        hash.add(words[i]);
    return hash.low;
}

} // namespace

Event entry_event(Kernel& kernel, Thread& thread)
{
    auto const number = thread.frame.status();
    auto const call = static_cast<Call>(number & 0xFF);
    auto const names_handle = call == Call::port_send || call == Call::port_receive
        || call == Call::cap_move || call == Call::sched_switch || call == Call::signal;
    Event event;
    event.kind = EventKind::enter;
    event.thread = thread.id;
    event.task = thread.task->index;
    event.call = static_cast<u16>(number);
    event.a = names_handle ? thread.frame.words()[0] : 0;
    event.b = message_of(kernel, thread, number);
    return event;
}

u32 asked_of(Thread& thread)
{
    auto const* words = thread.frame.words();
    auto const number = thread.frame.status();
    switch (static_cast<Call>(number & 0xFF)) {
    case Call::port_receive:
        return (number >> 8 & 3) != 0 ? static_cast<u32>(words[1] & 0xFFFF) : 0;
    case Call::port_send:
        return static_cast<u32>(words[1] & 0xFFFF);
    case Call::cap_move:
        return static_cast<u32>(words[2] >> 16 & 0xFFFF);
    case Call::signal:
        return static_cast<u32>(words[1]);
    case Call::port_allocate:
    case Call::vm_allocate:
    case Call::vm_deallocate:
    case Call::sched_spawn:
    case Call::sched_yield:
    case Call::sched_switch:
    case Call::time:
    case Call::debug_print:
        return 0;
    }
    return 0;
}

bool ends_by_assertion(Thread& thread)
{
    auto const* words = thread.frame.words();
    auto const number = thread.frame.status();
    return static_cast<Call>(number & 0xFF) == Call::port_receive && (number >> 8 & 1) != 0
        && words[0] == own_fault_port && (words[2] == exit_assertion || words[2] == exit_smashed);
}

} // namespace gemel::sim
