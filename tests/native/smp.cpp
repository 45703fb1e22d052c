// What only several processors can get wrong: revocation and unmapping raced with use, messages
// across processors, threads stopped and freed while another processor runs them. Stands in for
// init; its last line counts. Runs with any number of processors. With storms=N: messages alone, N
// times.
#include "tests/native/raw.hpp"
#include "tests/support/vectors.hpp"

#include "core/object/task.hpp"

#include <optional>

namespace gemel {

using namespace raw;

namespace {

constexpr u64 stack_bytes = 4 * page_bytes;
constexpr u64 priority = 5; // init's own
constexpr u64 timeout_ns = 60'000'000'000;

struct Checks {
    Startup const& startup;
    u64 task_broker = capability(startup, "broker-task");
    u64 memory_broker = capability(startup, "broker-mm");
    u64 sched_broker = capability(startup, "broker-sched");
    u64 audit_broker = capability(startup, "broker-audit");
    u64 self = capability(startup, "task-self");
    u64 passed = 0;
    u64 failed = 0;

    void expect(bool held, std::string_view what)
    {
        ++(held ? passed : failed);
        print(held ? "ok      " : "FAILED  ");
        print(what);
        print("\n");
    }
};

u64 volatile& word_at(u64 address)
{
    return *reinterpret_cast<u64 volatile*>(address);
}

void yield_now()
{
    Registers registers {};
    call(registers, Call::sched_yield);
}

// True when it became so within the time.
template <typename Condition>
bool wait_for(Condition&& condition)
{
    for (auto const end = now_ns() + timeout_ns; now_ns() < end; yield_now())
        if (condition())
            return true;
    return condition();
}

u64 set_affinity(Checks const& checks, u64 thread, u64 cpus)
{
    Registers registers {};
    registers.words[2] = thread;
    registers.words[3] = cpus;
    return operate(registers, checks.sched_broker, Operation::thread_affinity);
}

u64 free_pages(Checks const& checks)
{
    Registers registers {};
    operate(registers, checks.audit_broker, Operation::audit_totals);
    return registers.words[3];
}

// A thread on a stack of its own, whose faults come to `port`.
struct Worker {
    Memory stack;
    u64 thread = 0;

    Worker(Checks const& checks, void (*entry)(u64), u64 argument, u64 port = 0, u64 cpu = 8)
        : stack(memory_new(stack_bytes))
        , thread(thread_new(checks.task_broker,
              { .task = checks.self,
                  .entry = entry,
                  .stack_top = stack.address + stack_bytes,
                  .argument = argument,
                  .priority = priority,
                  .fault_port = port }))
    {
        if (cpu < checks.startup.cpus)
            set_affinity(checks, thread, u64 { 1 } << cpu);
        thread_run(checks.task_broker, thread);
    }
    void end()
    {
        cap(thread, CapOperation::destroy);
        Registers registers {};
        registers.words[0] = stack.address;
        registers.words[1] = stack_bytes;
        call(registers, Call::vm_deallocate);
        cap(stack.region, CapOperation::destroy);
    }
};

u64 map_again(u64 region)
{
    Registers map {};
    map.words[1] = region;
    map.words[2] = static_cast<u64>(VmFlag::read) | static_cast<u64>(VmFlag::write)
        | static_cast<u64>(VmFlag::region);
    return call(map, Call::vm_allocate) == status_ok ? map.words[2] : 0;
}

void unmap(u64 address)
{
    Registers registers {};
    registers.words[0] = address;
    registers.words[1] = 1;
    call(registers, Call::vm_deallocate);
}

// --- every processor
// ------------------------------------------------------------------------------

void count_for_ever(u64 address)
{
    for (;;)
        word_at(address) = word_at(address) + 1;
}

// Spinners that never enter the kernel, one bound to each processor, while init goes on.
void every_processor_works(Checks& checks)
{
    auto const cpus = checks.startup.cpus;
    auto const words = memory_new(page_bytes).address;
    Memory stacks[cpus_max];
    u64 threads[cpus_max];
    u64 working = 0;
    for (u64 cpu = 0; cpu < cpus; ++cpu) {
        Worker const worker(checks, count_for_ever, words + cpu * 64, 0, cpu);
        stacks[cpu] = worker.stack;
        threads[cpu] = worker.thread;
    }
    for (u64 cpu = 0; cpu < cpus; ++cpu)
        working += wait_for([&] { return word_at(words + cpu * 64) > 1000; });
    checks.expect(working == cpus, "every processor runs the thread that is bound to it");
    checks.expect(set_affinity(checks, threads[0], u64 { 1 } << cpus) == status_of(Error::invalid),
        "a processor that is not there is refused");
    for (u64 cpu = 0; cpu < cpus; ++cpu)
        cap(threads[cpu], CapOperation::destroy);
    auto const last = word_at(words + (cpus - 1) * 64);
    for (u64 turn = 0; turn < 100; ++turn)
        yield_now();
    checks.expect(last == word_at(words + (cpus - 1) * 64),
        "a destroyed thread has stopped when destroy returns");
}

// --- revocation and unmapping against use
// ---------------------------------------------------------

struct Fault {
    bool came = false;
    u64 address = 0;
    u64 token = 0;
};

Fault next_fault(u64 port)
{
    Registers registers {};
    registers.port = port;
    if (call(registers, Call::port_receive, 0, (now_ns() + timeout_ns) / 1000) != status_ok)
        return {};
    return { (registers.words[1] & 0xFFFF) == static_cast<u64>(KernelTag::fault),
        registers.words[3], registers.port };
}

// A writer on another processor uses what is taken from it; not one write may come after the call
// that took it, and the pages may go to others at once.
template <typename Take>
void race(Checks& checks, std::string_view what, Take&& take)
{
    constexpr u64 rounds = 20;
    auto const port = port_new();
    u64 right = 0;
    for (u64 round = 0; round < rounds; ++round) {
        auto const mine = memory_new(page_bytes);
        auto const lent = cap(mine.region, CapOperation::derive, 0, Right::read | Right::write);
        auto const theirs = map_again(lent);
        Worker writer(checks, count_for_ever, theirs, port, 1);
        auto const wrote = wait_for([&] { return word_at(mine.address) != 0; });
        take(mine.region, theirs);
        auto const last = word_at(mine.address);
        for (u64 turn = 0; turn < 50; ++turn)
            now_ns();
        auto const still = word_at(mine.address);
        auto const fault = next_fault(port);
        right += wrote && fault.came && fault.address == theirs && last == still
            && word_at(mine.address) == last;
        writer.end();
        unmap(theirs);
        unmap(mine.address);
        cap(lent, CapOperation::close);
        cap(mine.region, CapOperation::close);
    }
    checks.expect(right == rounds, what);
}

void races(Checks& checks)
{
    auto const before = free_pages(checks);
    race(checks, "revocation stops a writer on another processor before it returns",
        [](u64 region, u64) { cap(region, CapOperation::revoke); });
    race(checks, "destruction too", [](u64 region, u64) { cap(region, CapOperation::destroy); });
    race(checks, "unmapping too", [](u64, u64 theirs) { unmap(theirs); });
    auto const lost = before - free_pages(checks);
    checks.expect(lost < 8, "no page is lost"); // two ports, page tables
}

// --- messages
// -------------------------------------------------------------------------------------

constexpr u64 calls_each = 500;

struct Traffic {
    u64 port = 0;
    u64 served[cpus_max] = {};
    u64 done[cpus_max * 2] = {};
    u64 wrong = 0;
};

struct Part {
    Traffic* traffic;
    u64 number;
};

void serve_for_ever(u64 argument)
{
    auto& part = *reinterpret_cast<Part*>(argument);
    Registers registers {};
    registers.port = part.traffic->port;
    call(registers, Call::port_receive);
    for (;;) {
        ++part.traffic->served[part.number];
        registers.words[0] = registers.port;
        registers.words[1] = 0;
        registers.words[3] = registers.words[2] * 3 + 1;
        registers.port = part.traffic->port;
        call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::send_first));
    }
}

void call_many(u64 argument)
{
    auto& part = *reinterpret_cast<Part*>(argument);
    for (u64 round = 0; round < calls_each; ++round) {
        auto const value = part.number << 32 | round;
        Registers registers {};
        registers.words[0] = part.traffic->port;
        registers.words[1] = 1;
        registers.words[2] = value;
        auto const status
            = call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::call));
        if (status != status_ok || registers.words[2] != value
            || registers.words[3] != value * 3 + 1)
            __atomic_fetch_add(&part.traffic->wrong, 1, __ATOMIC_SEQ_CST);
    }
    part.traffic->done[part.number] = 1;
    for (;;) {
        Registers registers {};
        registers.words[0] = own_fault_port;
        call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::call));
    }
}

bool storm(Checks const& checks)
{
    auto const cpus = checks.startup.cpus;
    auto const clients = cpus * 2;
    auto const shared = memory_new(2 * page_bytes);
    auto* const traffic = reinterpret_cast<Traffic*>(shared.address);
    auto* const parts = reinterpret_cast<Part*>(shared.address + page_bytes);
    traffic->port = port_new();
    std::optional<Worker> threads[cpus_max * 3];
    u64 count = 0;
    auto const start = [&](void (*entry)(u64), u64 number) {
        parts[count] = { traffic, number };
        threads[count].emplace(checks, entry, reinterpret_cast<u64>(&parts[count]));
        ++count;
    };
    for (u64 number = 0; number < cpus; ++number)
        start(serve_for_ever, number);
    for (u64 number = 0; number < clients; ++number)
        start(call_many, number);
    auto const all = wait_for([&] {
        u64 done = 0;
        for (u64 number = 0; number < clients; ++number)
            done += const_cast<u64 volatile&>(traffic->done[number]);
        return done == clients;
    });
    u64 served = 0;
    for (u64 number = 0; number < cpus; ++number)
        served += traffic->served[number];
    auto const right = all && traffic->wrong == 0 && served == clients * calls_each;
    while (count > 0)
        threads[--count]->end();
    cap(traffic->port, CapOperation::destroy);
    cap(shared.region, CapOperation::destroy);
    return right;
}

void storms(Checks& checks, u64 rounds)
{
    u64 right = 0;
    while (right < rounds && storm(checks))
        ++right;
    checks.expect(right == rounds, "every call is answered once, with its own answer");
}

// --- threads stopped from another processor
// -------------------------------------------------------

u64 thread_register(Checks const& checks, u64 thread, u64 index, u64& value)
{
    Registers registers {};
    registers.words[2] = thread;
    registers.words[3] = index;
    auto const status = operate(registers, checks.task_broker, Operation::thread_get);
    value = registers.words[2];
    return status;
}

void call_for_ever(u64 address)
{
    for (;;) {
        now_ns();
        word_at(address) = word_at(address) + 1;
    }
}

// Stopped in user code, in a call or on the way: it stands still, and goes on as if nothing was.
void stopping(Checks& checks)
{
    constexpr u64 rounds = 50;
    auto const words = memory_new(page_bytes).address;
    u64 right = 0;
    for (auto const entry : { count_for_ever, call_for_ever }) {
        Worker worker(checks, entry, words, 0, 1);
        for (u64 round = 0; round < rounds; ++round) {
            auto const moved
                = wait_for([&, from = word_at(words)] { return word_at(words) != from; });
            Registers registers {};
            registers.words[2] = worker.thread;
            auto const stopped = operate(registers, checks.task_broker, Operation::thread_stop);
            auto const at = word_at(words);
            u64 pointer = 0;
            auto const read = thread_register(checks, worker.thread, 10, pointer);
            u64 again = 0;
            thread_register(checks, worker.thread, 10, again);
            right += moved && stopped == status_ok && read == status_ok && pointer == again
                && pointer != 0 && word_at(words) == at;
            thread_run(checks.task_broker, worker.thread);
        }
        worker.end();
    }
    checks.expect(
        right == 2 * rounds, "a thread that another processor runs stops when it is told");
}

// --- vector registers
// ------------------------------------------------------------------------------

constexpr u64 holders_max = 6;

struct Holder {
    u64 seed = 0;
    u64 rounds = 0; // made; each with contents of its own
    u64 wrong = 0;
    u64 lost_pointers = 0; // the thread pointer was another's
};

void hold_for_ever(u64 argument)
{
    constexpr u64 turns_max = 3'000'000;
    auto& holder = *reinterpret_cast<Holder*>(argument);
    u64 block[2] = { reinterpret_cast<u64>(block), 0 };
    arch::set_thread_pointer(block);
    for (;;) {
        holder.wrong += test::vectors_wrong(holder.seed << 20 | holder.rounds, 1, turns_max);
        holder.lost_pointers += arch::thread_pointer() != block;
        const_cast<u64 volatile&>(holder.rounds) = holder.rounds + 1;
        if (holder.rounds % 4 == 0)
            yield_now();
    }
}

// More threads than processors, each with registers full of its own, preempted wherever the tick
// finds them and moved between processors.
void vector_registers(Checks& checks)
{
    constexpr u64 rounds_each = 25;
    auto* const holders = reinterpret_cast<Holder*>(memory_new(page_bytes).address);
    u64 threads[holders_max];
    for (u64 number = 0; number < holders_max; ++number) {
        holders[number] = { .seed = number + 1 };
        threads[number]
            = Worker(checks, hold_for_ever, reinterpret_cast<u64>(&holders[number])).thread;
    }
    u64 enough = 0;
    u64 wrong = 0;
    for (u64 number = 0; number < holders_max; ++number) {
        auto const& rounds = const_cast<u64 volatile&>(holders[number].rounds);
        enough += wait_for([&] { return rounds >= rounds_each; });
    }
    for (u64 number = 0; number < holders_max; ++number) {
        cap(threads[number], CapOperation::destroy);
        wrong += holders[number].wrong + holders[number].lost_pointers;
    }
    checks.expect(enough == holders_max && wrong == 0,
        "no bit of any vector register or thread pointer is another thread's");
}

// --- interrupts

// Bound to lines that no device has, so that only processors' calls could be taken for them.
u64 port_of_no_device(Checks& checks)
{
    auto const port = port_new();
    for (u64 const line : { 222, 223 }) {
        Registers bind {};
        bind.words[2] = line;
        bind.words[3] = port;
        bind.words[4] = 1;
        checks.expect(operate(bind, capability(checks.startup, "broker-irq"), Operation::irq_bind)
                == status_ok,
            "a line without a device can be bound");
    }
    return port;
}

void no_device_was_heard(Checks& checks, u64 port)
{
    Registers message {};
    message.port = port;
    checks.expect(call(message, Call::port_receive, static_cast<u64>(ReceiveFlag::poll))
            == status_of(Error::timed_out),
        "what processors say to each other is no interrupt line");
}

} // namespace

} // namespace gemel

void gemel_program_start(gemel::Startup const* startup)
{
    using namespace gemel;
    Checks checks { *startup };
    print("processors: ");
    print(startup->cpus);
    print("\n");
    if (auto const rounds = variable(*startup, "storms", 0)) {
        storms(checks, rounds);
    } else {
        every_processor_works(checks);
        auto const port = port_of_no_device(checks);
        stopping(checks);
        races(checks);
        storms(checks, 1);
        vector_registers(checks);
        no_device_was_heard(checks, port);
    }
    print(checks.passed);
    print(" passed, ");
    print(checks.failed);
    print(" failed, 0 skipped\n");
    power_off(*startup, checks.failed == 0 ? 0 : 2);
}
