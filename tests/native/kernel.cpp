// What only a real machine can get wrong, seen from user mode: faults and their reports, address
// spaces, registers across switches, preemption, the clock. Stands in for init; its last line
// counts.
#include "tests/native/line.hpp"
#include "tests/native/walls.hpp"

namespace gemel {

using namespace raw;

namespace {

constexpr u64 timeout_us = subject_timeout_us;

// --- faults
// -----------------------------------------------------------------------------------------

void add_at(u64 address)
{
    auto volatile& value = *reinterpret_cast<u64 volatile*>(address);
    value = value + 1;
    leave(0);
}

void write_at(u64 address)
{
    *reinterpret_cast<u8 volatile*>(address) = 1;
    leave(0);
}

void trap_forever(u64)
{
    __builtin_trap();
}

void fault_is_resumed(Checks& checks)
{
    auto const memory = memory_new(page_bytes);
    Subject subject(checks, write_at, memory.address); // its stack would else take the address
    Registers registers {};
    registers.words[0] = memory.address;
    registers.words[1] = page_bytes;
    call(registers, Call::vm_deallocate);
    subject.run();
    auto message = subject.next();
    checks.expect(
        is_fault(message, FaultKind::page), "unmapped memory is gone when vm_deallocate returns");
    Registers map {};
    map.words[0] = memory.address;
    map.words[1] = memory.region;
    map.words[2] = static_cast<u64>(VmFlag::read) | static_cast<u64>(VmFlag::write)
        | static_cast<u64>(VmFlag::region);
    call(map, Call::vm_allocate);
    message.words[0] = message.port;
    message.words[1] = static_cast<u64>(FaultReply::resume);
    call(message, Call::port_send);
    checks.expect(
        is_exit(subject.next(), 0), "a thread goes on where it faulted once its page is there");
    subject.end();
    // The same with a page that the answer brings.
    auto const window = memory_new(page_bytes);
    auto const source = memory_new(page_bytes);
    *reinterpret_cast<u64 volatile*>(source.address) = 41;
    Subject filled(checks, add_at, window.address + page_bytes);
    filled.run();
    message = filled.next();
    checks.expect(is_fault(message, FaultKind::page), "a region ends with its last page");
    message.words[0] = message.port;
    message.words[1] = static_cast<u64>(FaultReply::fill);
    message.words[2] = window.region;
    message.words[3] = 1;
    message.words[4] = source.region;
    message.words[5] = 0;
    message.words[6] = checks.memory_broker;
    checks.expect(call(message, Call::port_send) == status_ok, "an answer to a fault may fill");
    checks.expect(is_exit(filled.next(), 0) && *reinterpret_cast<u64*>(source.address) == 42,
        "a thread that faulted goes on with the page that the answer brought");
    filled.end();
    Subject trap(checks, trap_forever);
    trap.run();
    checks.expect((trap.next().words[1] & 0xFFFF) == static_cast<u64>(KernelTag::fault),
        "an undefined instruction is a fault");
    trap.end();
}

// --- revocation
// --------------------------------------------------------------------------------------

u64 map_again(u64 region, VmFlag more = VmFlag::region)
{
    Registers map {};
    map.words[1] = region;
    map.words[2] = static_cast<u64>(VmFlag::read) | static_cast<u64>(VmFlag::write)
        | static_cast<u64>(VmFlag::region) | static_cast<u64>(more);
    return call(map, Call::vm_allocate) == status_ok ? map.words[2] : 0;
}

void write_until_fault(u64 address)
{
    for (;;) {
        *reinterpret_cast<u64 volatile*>(address) = *reinterpret_cast<u64 volatile*>(address) + 1;
        Registers registers {};
        call(registers, Call::sched_yield);
    }
}

// What is mapped through a derived capability, once `operation` on its parent has returned.
void expect_cut(Checks& checks, CapOperation operation, std::string_view what)
{
    auto const mine = memory_new(2 * page_bytes);
    auto const lent = cap(mine.region, CapOperation::derive, 0, Right::read | Right::write);
    auto const theirs = map_again(lent);
    auto* const word = reinterpret_cast<u64 volatile*>(mine.address + page_bytes);
    Subject subject(checks, write_until_fault, theirs + page_bytes, 5);
    subject.run();
    for (auto const end = now_ns() + timeout_us * 1000; *word == 0 && now_ns() < end;) {
        Registers registers {};
        call(registers, Call::sched_yield);
    }
    auto const wrote = *word != 0;
    cap(mine.region, operation);
    auto const last = *word;
    auto const message = subject.next();
    checks.expect(wrote && is_fault(message, FaultKind::page)
            && message.words[3] == theirs + page_bytes && *word == last,
        what);
    subject.end();
}

void revocation(Checks& checks)
{
    expect_cut(checks, CapOperation::revoke, "revoking cuts what was mapped through derived ones");
    expect_cut(checks, CapOperation::destroy, "destroying does too");
    expect_cut(checks, CapOperation::close, "and closing");

    auto const mine = memory_new(page_bytes);
    auto const rights = Right::read | Right::write | Right::grant;
    auto const first = cap(mine.region, CapOperation::derive, 0, rights | Right::derive);
    auto const second = cap(mine.region, CapOperation::derive, 0, rights);
    auto* const sibling = reinterpret_cast<u64 volatile*>(map_again(second));
    auto* const kept = reinterpret_cast<u64 volatile*>(map_again(first, VmFlag::lasting));
    *sibling = 5;
    cap(first, CapOperation::revoke);
    checks.expect(*sibling == 5, "a sibling's mapping comes back when it is used");
    cap(mine.region, CapOperation::revoke);
    *kept = 7;
    checks.expect(*reinterpret_cast<u64 volatile*>(mine.address) == 7,
        "a lasting mapping stays until it is let go");
}

// --- registers
// --------------------------------------------------------------------------------------

void yield_now()
{
    Registers registers {};
    call(registers, Call::sched_yield);
}

// Two of these at a time: each must find its own sum.
void add_up(u64 step)
{
    auto sum = 0.5;
    for (u64 round = 0; round < 1000; ++round) {
        sum += static_cast<double>(step);
        asm volatile("" : "+m"(sum));
        if (round % 10 == 0)
            yield_now();
    }
    leave(static_cast<u64>(sum * 2));
}

void keep_thread_pointer(u64 own)
{
    u64 block[2] = { reinterpret_cast<u64>(block), own };
    arch::set_thread_pointer(block);
    for (u64 round = 0; round < 100; ++round) {
        yield_now();
        if (arch::thread_pointer() != block)
            leave(0);
    }
    leave(own);
}

void own_registers(Checks& checks)
{
    Subject first(checks, add_up, 3);
    Subject second(checks, add_up, 5);
    first.run();
    second.run();
    checks.expect(is_exit(first.next(), 6001), "floating point registers survive switches (first)");
    checks.expect(
        is_exit(second.next(), 10001), "floating point registers survive switches (second)");
    first.end();
    second.end();
    Subject left(checks, keep_thread_pointer, 1);
    Subject right(checks, keep_thread_pointer, 2);
    left.run();
    right.run();
    checks.expect(is_exit(left.next(), 1), "the thread pointer is the thread's own (first)");
    checks.expect(is_exit(right.next(), 2), "the thread pointer is the thread's own (second)");
    left.end();
    right.end();
}

void leave_at_once(u64 value)
{
    leave(value);
}

// A thread started with any value in any register may fault, but the kernel goes on.
void wild_registers(Checks& checks)
{
    constexpr u64 values[] = { 0x8000'0000'0000, 0xFFFF'FFFF'FFFF'FFFF, 0xDEAD'0000'0000'0000,
        0xFFFF'FFFF'8020'C000, 0x7FFF'FFFF'FFFF, 0x3FFFFF };
    constexpr u64 registers_probed = 64;
    u64 answered = 0;
    u64 started = 0;
    for (u64 index = 8; index < registers_probed; ++index) {
        for (auto const value : values) {
            Subject subject(checks, leave_at_once, 7, 6);
            subject.set(index, value);
            subject.run();
            ++started;
            auto const tag = subject.next().words[1] & 0xFFFF;
            answered += tag == static_cast<u64>(KernelTag::fault)
                || tag == static_cast<u64>(KernelTag::exit);
            subject.end();
            cap(subject.port, CapOperation::destroy);
        }
    }
    checks.expect(
        answered == started, "a thread with wild registers faults or ends, and the kernel goes on");
}

// --- interrupts by message
// --------------------------------------------------------------------------

// The status; the line that it became in `line`.
u64 msi_allocate(u64 broker, u64 first, u64& line)
{
    Registers registers {};
    registers.words[2] = first;
    registers.words[3] = port_new();
    registers.words[4] = 1;
    auto const status = operate(registers, broker, Operation::msi_allocate);
    line = registers.words[4];
    return status;
}

u64 narrowed_to(u64 broker, u64 first, u64 lines)
{
    return cap(broker, CapOperation::badge,
        broker_badge(Operation::msi_allocate, 1, static_cast<u32>(first), static_cast<u32>(lines)),
        Right::call | Right::derive);
}

// A broker's range holds for the line that an allocation becomes, not only for the one it asks for.
void interrupts_by_message(Checks& checks)
{
    auto const broker = capability(checks.startup, "broker-irq");
    u64 line = 0;
    auto const any = msi_allocate(broker, 1, line);
    if (any != status_ok) {
        checks.expect(any == status_of(Error::unavailable), "this machine has none");
        return;
    }
    u64 other = 0;
    checks.expect(msi_allocate(narrowed_to(broker, line, 2), line, other) == status_ok
            && other >= line && other < line + 2,
        "within its range a broker gives one");
    checks.expect(
        msi_allocate(narrowed_to(broker, 1, line - 1), 1, other) == status_of(Error::unavailable),
        "one that would lie beyond the range is refused");
    checks.expect(
        msi_allocate(narrowed_to(broker, line, 2), 1, other) == status_of(Error::no_rights),
        "so is asking from outside of it");
}

// --- time
// -------------------------------------------------------------------------------------------

void spin(u64 flag)
{
    while (*reinterpret_cast<u64 volatile*>(flag) == 0) { }
    leave(1);
}

void time_passes(Checks& checks)
{
    auto const flag = memory_new(page_bytes).address;
    Subject spinner(checks, spin, flag);
    spinner.run();
    yield_now();
    checks.expect(true, "a thread that loops is preempted");
    *reinterpret_cast<u64 volatile*>(flag) = 1;
    checks.expect(is_exit(spinner.next(), 1), "the loop ends");
    spinner.end();

    constexpr u64 wait_ns = 30'000'000;
    constexpr u64 late_ns = 1'000'000'000;
    auto const begin = now_ns();
    Registers registers {};
    registers.port = port_new();
    auto const status = call(registers, Call::port_receive, 0, (begin + wait_ns) / 1000);
    auto const passed = now_ns() - begin;
    checks.expect(status == status_of(Error::timed_out), "a receive ends at its deadline");
    checks.expect(
        passed + 1000 >= wait_ns && passed < late_ns, "not before it, and not long after");
}

// Where the kernel has put the program, for who compares boots.
[[noreturn]] void say_places(Startup const& startup)
{
    Line().text("text ").hex(reinterpret_cast<u64>(&say_places)).print();
    Line().text("stack ").hex(startup.stack_base).print();
    Line().text("startup ").hex(reinterpret_cast<u64>(&startup)).print();
    power_off(startup, 0);
}

} // namespace

} // namespace gemel

void gemel_program_start(gemel::Startup const* startup)
{
    using namespace gemel;
    if (variable(*startup, "places", 0) != 0)
        say_places(*startup);
    Checks checks { *startup };
    checks.expect(startup->magic == startup_magic, "the startup page is there");
    walls(checks);
    fault_is_resumed(checks);
    revocation(checks);
    own_registers(checks);
    interrupts_by_message(checks);
    time_passes(checks);
    wild_registers(checks);
    checks.end();
}
