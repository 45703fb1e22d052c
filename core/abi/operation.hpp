// Broker operations: the one table. A broker is a capability to a kernel-served port; calling it
// (port_receive with the call flag) runs the operation in the same trap (docs/brokers).
// w0 broker, w1 tag with the operation's number, w2..w7 arguments; results from w2.
// The table's handle columns are the whole access policy.
//
// A broker's badge narrows it: bits 0..7 first operation, 8..15 how many, 16..39 first value of the
// narrowed argument, 40..63 how many values (0: all). Deriving with a badge narrows further or
// fails.
#pragma once

#include "core/abi/right.hpp"
#include "core/base/types.hpp"

#include <array>
#include <string_view>

namespace gemel {

enum class Broker : u8 { task, mm, phys, irq, pio, sched, audit, machine };

enum class ObjectType : u8 { none, task, thread, port, region, broker };

enum class Operation : u8 {
    // TASK
    task_new
    = 0x10, // w2 pages, w3 rows, w4 threads, w5..w6 name -> w2 task, w3 its id, w4 and w5 begin and
    // end of its addresses. Quotas come from the caller's
    thread_new = 0x11, // w2 task, w3 entry, w4 stack top, w5 argument, w6 priority, w7 fault port
    // or 0 -> w2 thread
    thread_run = 0x12, // w2 thread: a stopped thread goes on
    thread_stop = 0x13, // w2 thread, not the caller
    thread_get = 0x14, // w2 thread, w3 register index -> w2. The thread must not run
    thread_set = 0x15, // w2 thread, w3 register index, w4 value
    thread_foreign
    = 0x16, // w2 thread, w3 1: its system calls become calls to its fault port; 0: back
    task_reap
    = 0x17, // w2 destroyed task, w3 the cursor answered last (0 first) -> w2 next cursor, 0 when
    // done. Bounded step
    // MM
    map = 0x20, // w2 task, w3 region, w4 address (2 MiB aligned), w5 VmFlag rights
    unmap = 0x21, // w2 task, w3 address
    protect = 0x22, // w2 region, w3 first page, w4 pages, w5 VmFlag: narrows the pages' own rights
    fill = 0x23, // w2 destination region, w3 page, w4 source region, w5 page: shares the source's
    // page, with no more access than w4 has
    // PHYS
    region_physical = 0x28, // w2 first page number, w3 pages, w4 PhysFlag -> w2 region
    region_address = 0x29, // w2 region, w3 page -> w2 physical address
    // IRQ
    irq_bind = 0x30, // w2 line, w3 port, w4 bits: the line signals the port, and is masked until
    // acknowledged
    irq_acknowledge = 0x31, // w2 line
    msi_allocate
    = 0x32, // w2 first acceptable line, w3 port, w4 bits -> w2 address, w3 data, w4 line
    // PIO
    pio_read = 0x38, // w2 port, w3 bytes (1, 2, 4) -> w2 value
    pio_write = 0x39, // w2 port, w3 bytes, w4 value
    // SCHED
    scheduler_register
    = 0x40, // w2 port, w3 bits: signalled at each tick; the caller may sched_switch
    thread_priority = 0x41, // w2 thread, w3 priority
    thread_affinity = 0x42, // w2 thread, w3 the processors it may run on, bit n for number n
    // AUDIT: reads. not_found: nothing has that index now; invalid: it is beyond the table.
    audit_row = 0x48, // w2 index -> w2 owner | type << 32, w3 rights | depth << 16 | children <<
    // 32, w4 badge,
    // w5 object, w6 parent index, w7 generation
    audit_thread = 0x49, // w2 index -> w2 task | state << 32 | priority << 40, w3..w4 name, w5 run
    // ns, w6 object it waits on
    audit_task = 0x4A, // w2 index -> w2 pages left | rows left << 32, w3..w4 name, w5 threads |
    // dead << 32, w6 pages quota
    audit_totals = 0x4B, // -> w2 pages total, w3 pages free, w4 rows total, w5 rows free, w6
    // threads | tasks << 32, w7 system calls
    audit_port = 0x4C, // w2 object -> w2 owner task, w3 ring count, w4 waiting receivers, w5 queued
    // callers, w6 notification
    // MACHINE
    power_off = 0x50, // w2 exit status 0..255: ends the machine; does not return
    entropy = 0x51, // -> w2 64 bits
};

// Which word of an operation is a handle, of which type, with which rights.
struct HandleArgument {
    u8 word = 0; // 0: none
    ObjectType type = ObjectType::none;
    Rights rights = 0;
};

struct OperationInfo {
    Operation operation;
    Broker broker;
    std::string_view name;
    HandleArgument first;
    HandleArgument second;
    u8 narrowed_word = 0; // the word the badge's argument range applies to; 0: none
};

inline constexpr std::array operations {
    OperationInfo { Operation::task_new, Broker::task, "task_new", {}, {} },
    OperationInfo { Operation::thread_new, Broker::task, "thread_new",
        { 2, ObjectType::task, rights_of(Right::grant) },
        {} }, // w7 is checked by hand: it may be 0
    OperationInfo { Operation::thread_run, Broker::task, "thread_run",
        { 2, ObjectType::thread, rights_of(Right::write) }, {} },
    OperationInfo { Operation::thread_stop, Broker::task, "thread_stop",
        { 2, ObjectType::thread, rights_of(Right::write) }, {} },
    OperationInfo { Operation::thread_get, Broker::task, "thread_get",
        { 2, ObjectType::thread, rights_of(Right::read) }, {} },
    OperationInfo { Operation::thread_set, Broker::task, "thread_set",
        { 2, ObjectType::thread, rights_of(Right::write) }, {} },
    OperationInfo { Operation::thread_foreign, Broker::task, "thread_foreign",
        { 2, ObjectType::thread, rights_of(Right::write) }, {} },
    OperationInfo { Operation::task_reap, Broker::task, "task_reap",
        { 2, ObjectType::task, rights_of(Right::destroy) }, {} },
    OperationInfo { Operation::map, Broker::mm, "map",
        { 2, ObjectType::task, rights_of(Right::grant) }, { 3, ObjectType::region, 0 } },
    OperationInfo { Operation::unmap, Broker::mm, "unmap",
        { 2, ObjectType::task, rights_of(Right::grant) }, {} },
    OperationInfo { Operation::protect, Broker::mm, "protect",
        { 2, ObjectType::region, rights_of(Right::grant) }, {} },
    OperationInfo { Operation::fill, Broker::mm, "fill",
        { 2, ObjectType::region, Right::grant | Right::write },
        { 4, ObjectType::region, rights_of(Right::grant) } },
    OperationInfo { Operation::region_physical, Broker::phys, "region_physical", {}, {}, 2 },
    OperationInfo { Operation::region_address, Broker::phys, "region_address",
        { 2, ObjectType::region, rights_of(Right::grant) }, {} },
    OperationInfo { Operation::irq_bind, Broker::irq, "irq_bind",
        { 3, ObjectType::port, rights_of(Right::send) }, {}, 2 },
    OperationInfo { Operation::irq_acknowledge, Broker::irq, "irq_acknowledge", {}, {}, 2 },
    OperationInfo { Operation::msi_allocate, Broker::irq, "msi_allocate",
        { 3, ObjectType::port, rights_of(Right::send) }, {}, 2 },
    OperationInfo { Operation::pio_read, Broker::pio, "pio_read", {}, {}, 2 },
    OperationInfo { Operation::pio_write, Broker::pio, "pio_write", {}, {}, 2 },
    OperationInfo { Operation::scheduler_register, Broker::sched, "scheduler_register",
        { 2, ObjectType::port, rights_of(Right::send) }, {} },
    OperationInfo { Operation::thread_priority, Broker::sched, "thread_priority",
        { 2, ObjectType::thread, rights_of(Right::write) }, {} },
    OperationInfo { Operation::thread_affinity, Broker::sched, "thread_affinity",
        { 2, ObjectType::thread, rights_of(Right::write) }, {} },
    OperationInfo { Operation::audit_row, Broker::audit, "audit_row", {}, {} },
    OperationInfo { Operation::audit_thread, Broker::audit, "audit_thread", {}, {} },
    OperationInfo { Operation::audit_task, Broker::audit, "audit_task", {}, {} },
    OperationInfo { Operation::audit_totals, Broker::audit, "audit_totals", {}, {} },
    OperationInfo { Operation::audit_port, Broker::audit, "audit_port", {}, {} },
    OperationInfo { Operation::power_off, Broker::machine, "power_off", {}, {} },
    OperationInfo { Operation::entropy, Broker::machine, "entropy", {}, {} },
};

// region_physical's flags.
enum class PhysFlag : u16 {
    write = 1 << 0,
    uncached = 1 << 1, // device memory
};

// A badge that narrows a broker (see the head of this file).
constexpr u64 broker_badge(
    Operation first, unsigned count, u32 argument_first = 0, u32 arguments = 0)
{
    return static_cast<u64>(first) | static_cast<u64>(count) << 8
        | static_cast<u64>(argument_first & 0xFF'FFFF) << 16
        | static_cast<u64>(arguments & 0xFF'FFFF) << 40;
}

} // namespace gemel
