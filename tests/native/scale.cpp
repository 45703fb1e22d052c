// What a round trip costs when every processor makes them at once: a caller and a server bound to
// each. Under `qemu -icount shift=0` a nanosecond is an instruction of whichever processor: waiting
// for the kernel's lock counts. Hosted it is a nanosecond.
#include "tests/native/raw.hpp"

namespace gemel {

using namespace raw;

namespace {

constexpr u64 stack_bytes = 4 * page_bytes;
constexpr u64 round_trips = 2000; // of each processor, unless trips=N says otherwise
constexpr u64 processors_max = 8;
constexpr u64 priority = 4;
constexpr u64 timeout_us = 60'000'000;

struct Pair {
    u64 port = 0;
    u64 begin = 0; // signalled to each caller when all are there
    u64 done = 0; // signalled by it
    u64 trips = 0;
};

void echo(u64 port)
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

void signal(u64 port)
{
    Registers registers {};
    registers.words[0] = port;
    registers.words[1] = 1;
    call(registers, Call::signal);
}

bool wait(u64 port)
{
    Registers registers {};
    registers.port = port;
    return call(registers, Call::port_receive, 0, now_ns() / 1000 + timeout_us) == status_ok;
}

void ask(u64 argument)
{
    auto const& pair = *reinterpret_cast<Pair const*>(argument);
    signal(pair.done);
    wait(pair.begin);
    for (u64 trip = 0; trip < pair.trips; ++trip) {
        Registers registers {};
        registers.words[0] = pair.port;
        registers.words[1] = 1;
        call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::call));
    }
    signal(pair.done);
    wait(pair.begin); // for ever
}

void start(Startup const& startup, void (*entry)(u64), u64 argument, u64 cpu)
{
    auto const broker = capability(startup, "broker-task");
    auto const thread = thread_new(broker,
        { .task = capability(startup, "task-self"),
            .entry = entry,
            .stack_top = memory_new(stack_bytes).address + stack_bytes,
            .argument = argument,
            .priority = priority });
    Registers affinity {};
    affinity.words[2] = thread;
    affinity.words[3] = u64 { 1 } << cpu;
    operate(affinity, capability(startup, "broker-sched"), Operation::thread_affinity);
    thread_run(broker, thread);
}

bool measure(Startup const& startup)
{
    Pair pairs[processors_max];
    auto const each = variable(startup, "trips", round_trips);
    for (u64 cpu = 0; cpu < startup.cpus; ++cpu) {
        auto& pair = pairs[cpu];
        pair = { port_new(), port_new(), port_new(), each };
        start(startup, echo, pair.port, cpu);
        start(startup, ask, reinterpret_cast<u64>(&pair), cpu);
        if (!wait(pair.done))
            return false;
    }
    auto const begin = now_ns();
    for (u64 cpu = 0; cpu < startup.cpus; ++cpu)
        signal(pairs[cpu].begin);
    for (u64 cpu = 0; cpu < startup.cpus; ++cpu)
        if (!wait(pairs[cpu].done))
            return false;
    auto const trips = startup.cpus * each;
    print("round trip on ");
    print(startup.cpus);
    print(" processors: ");
    print((now_ns() - begin + trips / 2) / trips);
    print("\n");
    return true;
}

} // namespace

} // namespace gemel

void gemel_program_start(gemel::Startup const* startup)
{
    gemel::raw::power_off(*startup, gemel::measure(*startup) ? 0 : 2);
}
