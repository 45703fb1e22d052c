// How many instructions the kernel's paths take, the caller's stub (arch::system_call) and loop
// included. Under `qemu -icount shift=0` a nanosecond is an instruction; every figure is the mean
// of many rounds, between two readings of `time`.
#include "tests/native/raw.hpp"

namespace gemel {

using namespace raw;

namespace {

constexpr u64 rounds = 1000;
constexpr u64 ring_messages = 50; // fewer than a port's ring holds
constexpr u64 stack_bytes = 16 * page_bytes;
constexpr u64 revoked_many = 1000;

struct Bench {
    Startup const& startup;
    u64 task_broker = capability(startup, "broker-task");
    u64 memory_broker = capability(startup, "broker-mm");
    u64 self = capability(startup, "task-self");
};

void report(std::string_view name, u64 nanoseconds, u64 count)
{
    print(name);
    print(": ");
    print((nanoseconds + count / 2) / count);
    print("\n");
}

template <typename Work>
u64 timed(u64 count, Work&& work)
{
    auto const begin = now_ns();
    for (u64 round = 0; round < count; ++round)
        work();
    return now_ns() - begin;
}

// --- on its own
// -----------------------------------------------------------------------------------

void bench_time()
{
    report("time", timed(rounds, [] { now_ns(); }), rounds);
}

void drain(u64 port)
{
    Registers registers {};
    do
        registers.port = port;
    while (call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::poll)) == status_ok);
}

void bench_send(u64 port)
{
    u64 spent = 0;
    for (u64 turn = 0; turn < rounds / ring_messages; ++turn) {
        spent += timed(ring_messages, [port] {
            Registers registers {};
            registers.words[0] = port;
            registers.words[1] = 1;
            call(registers, Call::port_send);
        });
        drain(port);
    }
    report("send", spent, rounds);
}

void bench_signal(u64 port)
{
    auto const spent = timed(rounds, [port] {
        Registers registers {};
        registers.words[0] = port;
        registers.words[1] = 1;
        call(registers, Call::signal);
    });
    report("signal", spent, rounds);
    drain(port);
}

void bench_derive(u64 port)
{
    auto const spent
        = timed(rounds, [port] { cap(cap(port, CapOperation::derive), CapOperation::close); });
    report("derive and close", spent, rounds);
}

// A revoked row is its owner's until it is closed.
void bench_revoke(u64 port, std::string_view name, u64 children)
{
    auto* const rows = reinterpret_cast<u64*>(memory_new(revoked_many * sizeof(u64)).address);
    constexpr u64 turns = 10;
    u64 spent = 0;
    u64 clock = 0; // what reading it twice costs, once for each turn
    for (u64 turn = 0; turn < turns; ++turn) {
        auto const parent = cap(port, CapOperation::derive);
        for (u64 child = 0; child < children; ++child)
            rows[child] = cap(parent, CapOperation::derive);
        spent += timed(1, [parent] { cap(parent, CapOperation::revoke); });
        clock += timed(1, [] {});
        for (u64 child = 0; child < children; ++child)
            cap(rows[child], CapOperation::close);
        cap(parent, CapOperation::close);
    }
    report(name, spent - clock, turns);
}

// --- between threads
// ------------------------------------------------------------------------------

// Answers every call on the port that is its argument. In one piece, without data: it also runs as
// a copy in another task.
[[gnu::noinline, gnu::section(".text.echo")]] void echo(u64 port)
{
    Registers registers {};
    registers.port = port;
    registers.number = static_cast<u64>(Call::port_receive);
    arch::system_call(registers);
    for (;;) {
        registers.words[0] = registers.port;
        registers.words[1] = 0;
        registers.port = port;
        registers.number
            = static_cast<u64>(Call::port_receive) | static_cast<u64>(ReceiveFlag::send_first) << 8;
        arch::system_call(registers);
    }
}

void bench_round_trip(std::string_view name, u64 port)
{
    auto const one = [port] {
        Registers registers {};
        registers.words[0] = port;
        registers.words[1] = 1;
        call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::call));
    };
    one();
    report(name, timed(rounds, one), rounds);
}

void bench_same_space(Bench const& bench, u64 port)
{
    auto const stack = memory_new(stack_bytes);
    thread_run(bench.task_broker,
        thread_new(bench.task_broker,
            { .task = bench.self,
                .entry = echo,
                .stack_top = stack.address + stack_bytes,
                .argument = port }));
    bench_round_trip("round trip, same address space", port);
}

void map(Bench const& bench, u64 task, u64 region, u64 address, VmFlag more)
{
    Registers registers {};
    registers.words[2] = task;
    registers.words[3] = region;
    registers.words[4] = address;
    registers.words[5] = static_cast<u64>(VmFlag::read) | static_cast<u64>(more);
    operate(registers, bench.memory_broker, Operation::map);
}

u64 task_new(Bench const& bench)
{
    Registers registers {};
    registers.words[2] = 256;
    registers.words[3] = 16;
    registers.words[4] = 4;
    registers.words[5] = 'b';
    return operate(registers, bench.task_broker, Operation::task_new) == status_ok
        ? registers.words[2]
        : 0;
}

void bench_other_space(Bench const& bench)
{
    auto const task = task_new(bench);
    auto const code = memory_new(2 * page_bytes);
    auto const stack = memory_new(stack_bytes);
    auto const begin = align_down<u64>(reinterpret_cast<u64>(&echo), page_bytes);
    __builtin_memcpy(reinterpret_cast<void*>(code.address), reinterpret_cast<void const*>(begin),
        2 * page_bytes);
    map(bench, task, code.region, code.address, VmFlag::execute);
    map(bench, task, stack.region, stack.address, VmFlag::write);
    auto const port = port_new();
    Registers registers {};
    registers.words[0] = port;
    registers.words[1] = task;
    registers.words[2] = rights_all | static_cast<u64>(CapOperation::move) << 16;
    auto const client = cap(port, CapOperation::derive);
    call(registers, Call::cap_move); // kills what was derived only when the new owner closes it
    auto const entry = code.address + (reinterpret_cast<u64>(&echo) - begin);
    thread_run(bench.task_broker,
        thread_new(bench.task_broker,
            { .task = task,
                .entry = reinterpret_cast<void (*)(u64)>(entry),
                .stack_top = stack.address + stack_bytes,
                .argument = registers.words[2] }));
    bench_round_trip("round trip, other address space", client);
}

// --- personalities and pagers
// -----------------------------------------------------------------------

void foreign_loop(u64)
{
    for (;;) {
        Registers registers {};
        registers.number = 39;
        arch::system_call(registers);
    }
}

// Receives `count` calls of the kernel on `port`, answering each with what `answer` put into
// words 1..
template <typename Answer>
u64 serve(u64 port, u64 count, Answer&& answer)
{
    Registers registers {};
    registers.port = port;
    call(registers, Call::port_receive);
    return timed(count, [&] {
        auto const token = registers.port;
        answer(registers);
        registers.words[0] = token;
        registers.port = port;
        call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::send_first));
    });
}

void bench_foreign(Bench const& bench)
{
    auto const port = port_new();
    auto const stack = memory_new(stack_bytes);
    auto const thread = thread_new(bench.task_broker,
        { .task = bench.self,
            .entry = foreign_loop,
            .stack_top = stack.address + stack_bytes,
            .fault_port = port });
    Registers registers {};
    registers.words[2] = thread;
    registers.words[3] = 1;
    operate(registers, bench.task_broker, Operation::thread_foreign);
    thread_run(bench.task_broker, thread);
    auto const spent = serve(port, rounds, [](Registers& message) {
        message.words[1] = static_cast<u64>(FaultReply::return_value);
        message.words[2] = 1;
    });
    report("foreign system call, to a server and back", spent, rounds);
}

void touch_pages(u64 address)
{
    for (;; address += page_bytes)
        *reinterpret_cast<u8 volatile*>(address) = 1;
}

// What the pager does with a fault on the page: `mend` has the message with words 2..5 as the
// operation fill wants them, and makes an answer of it.
template <typename Mend>
void bench_pager(Bench const& bench, std::string_view name, Mend&& mend)
{
    constexpr u64 faults = 400;
    auto const port = port_new();
    auto const stack = memory_new(stack_bytes);
    auto const source = memory_new(page_bytes);
    auto const target = memory_new(region_bytes_max);
    Registers registers {};
    registers.words[2] = target.region;
    registers.words[4] = region_pages_max;
    registers.words[5] = static_cast<u64>(VmFlag::read);
    operate(registers, bench.memory_broker, Operation::protect);
    thread_run(bench.task_broker,
        thread_new(bench.task_broker,
            { .task = bench.self,
                .entry = touch_pages,
                .stack_top = stack.address + stack_bytes,
                .argument = target.address,
                .fault_port = port }));
    auto const spent = serve(port, faults, [target, source, &mend](Registers& message) {
        message.words[2] = target.region;
        message.words[3] = (message.words[3] - target.address) / page_bytes;
        message.words[4] = source.region;
        message.words[5] = 0;
        mend(message);
    });
    report(name, spent, faults);
}

void bench_pagers(Bench const& bench)
{
    bench_pager(bench, "page fault, to a pager that fills and back", [bench](Registers& message) {
        operate(message, bench.memory_broker, Operation::fill);
        message.words[1] = static_cast<u64>(FaultReply::resume);
    });
    bench_pager(
        bench, "page fault, to a pager whose answer fills and back", [bench](Registers& message) {
            message.words[1] = static_cast<u64>(FaultReply::fill);
            message.words[6] = bench.memory_broker;
        });
}

} // namespace

} // namespace gemel

void gemel_program_start(gemel::Startup const* startup)
{
    using namespace gemel;
    Bench const bench { *startup };
    auto const port = port_new();
    bench_time();
    bench_send(port);
    bench_signal(port);
    bench_derive(port);
    bench_revoke(port, "revoke of 1", 1);
    bench_revoke(port, "revoke of 1000", revoked_many);
    bench_same_space(bench, port);
    bench_other_space(bench);
    bench_foreign(bench);
    bench_pagers(bench);
    power_off(*startup, 0);
}
