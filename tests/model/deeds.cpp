#include "tests/model/deeds.hpp"

#include <cstdio>

namespace gemel {

namespace {

using enum Error;

// Of a handle of any type.
constexpr Errors handle = any_of(cap_invalid, not_owner, revoked, dead);
// Of one that must name a port, and have a right.
constexpr Errors port = handle | any_of(port_invalid, no_rights);
// What capabilities in a message, and its tag, may be refused for.
constexpr Errors message = handle | any_of(invalid, no_rights, quota, too_big);
// Those that take long to meet: of a capability, or a region, that has used up its numbers.
constexpr Errors worn = any_of(too_big);
// The broker's own badge and right, whether it was taken back, and a tag with the kernel's bits.
constexpr Errors narrow = any_of(no_rights, revoked, invalid);
constexpr Errors object = narrow | handle;

struct Entry {
    std::string_view name;
    Errors errors = 0;
    Errors rare = 0;
};

constexpr Entry of_calls[] = {
    { "port_allocate", any_of(quota, no_memory), any_of(no_memory) },
    { "port_send", port | message | any_of(port_full), worn },
    { "port_send, token", message, worn },
    { "port_receive", port | any_of(timed_out, interrupted) },
    { "port_receive, call", port | message | any_of(timed_out, interrupted), worn },
    { "port_receive, end" },
    { "port_receive, send first", port | message | any_of(timed_out, interrupted, port_full),
        worn },
    { "vm_allocate", any_of(invalid, too_big, align, exists, quota, no_memory), any_of(no_memory) },
    { "vm_allocate, region",
        handle | any_of(invalid, no_rights, align, exists, quota, no_memory, too_big),
        worn | any_of(no_memory) },
    { "vm_deallocate", any_of(invalid, align, not_found) },
    { "cap_move, derive", handle | any_of(no_rights, too_big, quota) },
    { "cap_move, move", handle | any_of(no_rights, quota, too_big), worn },
    { "cap_move, revoke", handle },
    { "cap_move, close", any_of(cap_invalid, not_owner) },
    { "cap_move, destroy", handle | any_of(no_rights, invalid) },
    { "cap_move, badge", handle | any_of(no_rights, too_big, quota) },
    { "cap_move, limit", handle | any_of(invalid) },
    { "cap_move, watch", port | any_of(invalid) },
    { "cap_move, inspect", handle },
    { "cap_move, none", handle | any_of(invalid) },
    { "sched_spawn", any_of(quota, no_memory), any_of(no_memory) },
    { "sched_yield" },
    { "sched_switch", handle | any_of(no_rights_sched, not_runnable) },
    { "time" },
    { "debug_print", any_of(too_big) },
    { "signal", port },
    { "no call", any_of(bad_call) },
    { "no operation", any_of(bad_call, revoked, invalid) },
};
static_assert(std::size(of_calls) == static_cast<usize>(Deed::operations_from));

struct OperationEntry {
    Operation operation;
    Errors errors;
    Errors rare = 0;
};

constexpr OperationEntry of_operations[] = {
    { Operation::task_new, narrow | any_of(quota, no_memory), any_of(no_memory) },
    { Operation::thread_new, object | any_of(invalid, port_invalid, quota, no_memory),
        any_of(no_memory) },
    { Operation::thread_run, object | any_of(not_runnable) },
    { Operation::thread_stop, object | any_of(invalid) },
    { Operation::thread_get, object | any_of(invalid) },
    { Operation::thread_set, object | any_of(invalid) },
    { Operation::thread_foreign, object | any_of(invalid) },
    { Operation::task_reap, object | any_of(invalid, not_runnable) },
    { Operation::map, object | any_of(invalid, align, exists, quota, no_memory, too_big),
        worn | any_of(no_memory) },
    { Operation::unmap, object | any_of(invalid, align, not_found) },
    { Operation::protect, object | any_of(invalid) },
    { Operation::fill, object | any_of(invalid) },
    { Operation::region_physical, narrow | any_of(invalid, too_big, quota, no_memory),
        any_of(no_memory) },
    { Operation::region_address, object | any_of(invalid) },
    { Operation::irq_bind, object | any_of(port_invalid, invalid) },
    { Operation::irq_acknowledge, narrow | any_of(invalid) },
    { Operation::msi_allocate, object | any_of(port_invalid, invalid, unavailable) },
    { Operation::pio_read, narrow | any_of(invalid) },
    { Operation::pio_write, narrow | any_of(invalid) },
    { Operation::scheduler_register, object | any_of(port_invalid) },
    { Operation::thread_priority, object | any_of(invalid) },
    { Operation::thread_affinity, object | any_of(invalid) },
    { Operation::audit_row, narrow | any_of(invalid) },
    { Operation::audit_thread, narrow | any_of(invalid, not_found) },
    { Operation::audit_task, narrow | any_of(invalid, not_found) },
    { Operation::audit_totals, narrow },
    { Operation::audit_port, narrow | any_of(invalid, not_found) },
    { Operation::power_off, narrow | any_of(invalid) },
    { Operation::entropy, narrow },
};

// Line by line the table of the ABI: an operation that is new does not build until it is here.
consteval bool in_order()
{
    for (usize i = 0; i < operations.size(); ++i)
        if (of_operations[i].operation != operations[i].operation)
            return false;
    return std::size(of_operations) == operations.size();
}
static_assert(in_order());

usize operation_of(Deed deed)
{
    return static_cast<usize>(deed) - static_cast<usize>(Deed::operations_from);
}

// The others never answer, or answer with an error only; or end the machine, as every test on a
// native face does when it is done.
bool answers(Deed deed)
{
    return deed != deed_of(Operation::power_off) && deed != Deed::end && deed != Deed::no_call
        && deed != Deed::no_operation && deed != Deed::no_capability_operation;
}

} // namespace

std::string_view name_of(Deed deed)
{
    return deed < Deed::operations_from ? of_calls[static_cast<usize>(deed)].name
                                        : operations[operation_of(deed)].name;
}

Errors errors_of(Deed deed)
{
    return deed < Deed::operations_from ? of_calls[static_cast<usize>(deed)].errors
                                        : of_operations[operation_of(deed)].errors;
}

Errors rare_errors_of(Deed deed)
{
    return deed < Deed::operations_from ? of_calls[static_cast<usize>(deed)].rare
                                        : of_operations[operation_of(deed)].rare;
}

namespace {

Deed capability_deed(u64 operation)
{
    auto const known = operation <= static_cast<u64>(CapOperation::inspect);
    return known ? static_cast<Deed>(static_cast<u64>(Deed::derive) + operation)
                 : Deed::no_capability_operation;
}
static_assert(static_cast<u8>(Deed::inspect) - static_cast<u8>(Deed::derive)
    == static_cast<u8>(CapOperation::inspect));

Deed receive_deed(u64 const* words, u64 flags, bool is_broker)
{
    if ((flags & static_cast<u64>(ReceiveFlag::call)) == 0)
        return (flags & static_cast<u64>(ReceiveFlag::send_first)) != 0 ? Deed::send_and_receive
                                                                        : Deed::receive;
    if (words[0] == own_fault_port)
        return Deed::end;
    if (!is_broker)
        return Deed::call;
    for (usize i = 0; i < operations.size(); ++i)
        if ((words[1] & 0xFFFF) == static_cast<u64>(operations[i].operation))
            return deed_of(operations[i].operation);
    return Deed::no_operation;
}

} // namespace

Deed deed_of(u64 const* words, u64 number, bool is_broker)
{
    switch (static_cast<Call>(number & 0xFF)) {
    case Call::port_allocate:
        return Deed::port_allocate;
    case Call::port_send:
        return (words[0] & reply_token_bit) != 0 ? Deed::reply : Deed::send;
    case Call::port_receive:
        return receive_deed(words, number >> 8 & 0xFF, is_broker);
    case Call::vm_allocate:
        return (words[2] & static_cast<u64>(VmFlag::region)) != 0 ? Deed::memory_map
                                                                  : Deed::memory_new;
    case Call::vm_deallocate:
        return Deed::memory_unmap;
    case Call::cap_move:
        return capability_deed(words[2] >> 16 & 0xFF);
    case Call::sched_spawn:
        return Deed::spawn;
    case Call::sched_yield:
        return Deed::yield;
    case Call::sched_switch:
        return Deed::switch_to;
    case Call::time:
        return Deed::time;
    case Call::debug_print:
        return Deed::print;
    case Call::signal:
        return Deed::signal;
    }
    return Deed::no_call;
}

void Ledger::add(Deed deed, u64 status)
{
    ++counts_[static_cast<usize>(deed)][status == status_ok ? 0 : status & (outcomes - 1)];
}

void Ledger::add(Ledger const& other)
{
    for (usize i = 0; i < deeds_count; ++i)
        for (usize k = 0; k < outcomes; ++k)
            counts_[i][k] += other.counts_[i][k];
}

u64 Ledger::tried(Deed deed) const
{
    u64 all = 0;
    for (auto const count : counts_[static_cast<usize>(deed)])
        all += count;
    return all;
}

std::string Ledger::missing(Rare rare) const
{
    std::string text;
    for (usize i = 0; i < deeds_count; ++i) {
        auto const deed = static_cast<Deed>(i);
        auto const name = std::string(name_of(deed));
        if (answers(deed) && succeeded(deed) == 0 && rare == Rare::not_wanted)
            text += name + " never succeeded\n";
        auto const wanted = errors_of(deed) & ~(rare == Rare::wanted ? 0 : rare_errors_of(deed));
        for (u8 error = 1; error < outcomes; ++error) {
            auto const came = counts_[i][error] != 0;
            if (has(wanted, static_cast<Error>(error)) && !came)
                text += name + " never said: " + std::string(name_of(static_cast<Error>(error)))
                    + "\n";
            if (came && !has(errors_of(deed), static_cast<Error>(error)))
                text += name + " said what it may not: "
                    + std::string(name_of(static_cast<Error>(error))) + "\n";
        }
    }
    return text;
}

void Ledger::print() const
{
    for (usize i = 0; i < deeds_count; ++i) {
        auto const deed = static_cast<Deed>(i);
        auto const name = name_of(deed);
        std::printf("%-26.*s %9llu tried %9llu ok", static_cast<int>(name.size()), name.data(),
            static_cast<unsigned long long>(tried(deed)),
            static_cast<unsigned long long>(succeeded(deed)));
        for (u8 error = 1; error < outcomes; ++error)
            if (auto const count = counts_[i][error]; count != 0) {
                auto const what = name_of(static_cast<Error>(error));
                std::printf(", %.*s %llu", static_cast<int>(what.size()), what.data(),
                    static_cast<unsigned long long>(count));
            }
        std::printf("\n");
    }
}

} // namespace gemel
