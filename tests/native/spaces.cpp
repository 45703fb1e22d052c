// Address spaces over their lives: rights that narrow, code that changes under a mapping, two tasks
// with different memory at one address, and more tasks one after the other than the processor has
// names for their translations. Stands in for init; its last line counts.
#include "tests/native/raw.hpp"

extern "C" gemel::u8 const gemel_text_end[]; // servers/libc/program.ld

namespace gemel {

using namespace raw;

namespace {

constexpr u64 stack_bytes = 16 * page_bytes;
constexpr u64 shared_address = u64 { 1 } << 46; // above what anybody else uses
constexpr u64 lives = 300;
constexpr u16 read_only = static_cast<u16>(VmFlag::read);
constexpr u16 read_write = read_only | static_cast<u16>(VmFlag::write);
constexpr u16 read_execute = read_only | static_cast<u16>(VmFlag::execute);

struct Checks {
    Startup const& startup;
    u64 task_broker = capability(startup, "broker-task");
    u64 memory_broker = capability(startup, "broker-mm");
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

    u64 memory(Operation operation, u64 w2, u64 w3, u64 w4 = 0, u64 w5 = 0)
    {
        Registers registers {};
        registers.words[2] = w2;
        registers.words[3] = w3;
        registers.words[4] = w4;
        registers.words[5] = w5;
        return operate(registers, memory_broker, operation);
    }
};

u64& word_at(u64 address)
{
    return *reinterpret_cast<u64*>(address);
}

// --- code
// -------------------------------------------------------------------------------------------

[[gnu::noinline, gnu::section(".text.seven")]] u64 seven()
{
    return 7;
}

[[gnu::noinline, gnu::section(".text.eight")]] u64 eight()
{
    return 8;
}

// A few instructions are all of either; what follows them does not matter.
void put_code(u64 address, u64 (*function)())
{
    constexpr u64 code_bytes = 16;
    __builtin_memcpy(
        reinterpret_cast<void*>(address), reinterpret_cast<void const*>(function), code_bytes);
}

u64 run_at(u64 address)
{
    return reinterpret_cast<u64 (*)()>(address)();
}

// Goal: what was written as data is what runs, also after it has changed.
// Method: one region mapped twice, to write and to execute; rewrite it between two links, then give
// its page another content by a fill under the link that stands.
void code_changes(Checks& checks)
{
    auto const code = memory_new(page_bytes);
    auto const other = memory_new(page_bytes);
    put_code(code.address, seven);
    put_code(other.address, eight);
    auto const linked
        = checks.memory(Operation::map, checks.self, code.region, shared_address, read_execute);
    checks.expect(linked == status_ok && run_at(shared_address) == 7, "written code runs");
    checks.memory(Operation::unmap, checks.self, shared_address);
    put_code(code.address, eight);
    checks.memory(Operation::map, checks.self, code.region, shared_address, read_execute);
    checks.expect(run_at(shared_address) == 8, "rewritten code runs");
    put_code(other.address, seven);
    checks.memory(Operation::fill, code.region, 0, other.region);
    checks.expect(run_at(shared_address) == 7, "code that a pager fills in runs");
    checks.memory(Operation::unmap, checks.self, shared_address);
    checks.expect(checks.memory(Operation::map, checks.self, code.region, shared_address,
                      read_write | static_cast<u16>(VmFlag::execute))
            != status_ok,
        "nothing is writable and executable");
}

// --- tasks
// ------------------------------------------------------------------------------------------

// Answers each call with the word at the address in word 2, and puts word 3 there if it is not 0.
// In one piece, without data: it runs as a copy in another task.
[[gnu::noinline, gnu::section(".text.peek")]] void peek(u64 port)
{
    Registers registers {};
    registers.port = port;
    registers.number = static_cast<u64>(Call::port_receive);
    arch::system_call(registers);
    for (;;) {
        auto& word = *reinterpret_cast<u64 volatile*>(registers.words[2]);
        registers.words[2] = word;
        if (registers.words[3] != 0)
            word = registers.words[3];
        registers.words[0] = registers.port;
        registers.words[1] = 0;
        registers.port = port;
        registers.number
            = static_cast<u64>(Call::port_receive) | static_cast<u64>(ReceiveFlag::send_first) << 8;
        arch::system_call(registers);
    }
}

// A task that runs `peek`, with memory of its own at shared_address.
class Peeker {
public:
    Peeker(Checks& checks, Memory code, Memory stack, Memory memory)
        : checks_(checks)
    {
        Registers made {};
        made.words[2] = 64;
        made.words[3] = 16;
        made.words[4] = 4;
        made.words[5] = 'p';
        operate(made, checks.task_broker, Operation::task_new);
        task_ = made.words[2];
        checks.memory(Operation::map, task_, code.region, code.address, read_execute);
        checks.memory(Operation::map, task_, stack.region, stack.address, read_write);
        checks.memory(Operation::map, task_, memory.region, shared_address, read_write);
        auto const port = port_new();
        client_ = cap(port, CapOperation::derive);
        Registers moved {};
        moved.words[0] = port;
        moved.words[1] = task_;
        moved.words[2] = rights_all | static_cast<u64>(CapOperation::move) << 16;
        call(moved, Call::cap_move);
        auto const offset = reinterpret_cast<u64>(&peek) % page_bytes;
        thread_ = thread_new(checks.task_broker,
            { .task = task_,
                .entry = reinterpret_cast<void (*)(u64)>(code.address + offset),
                .stack_top = stack.address + stack_bytes,
                .argument = moved.words[2] });
        thread_run(checks.task_broker, thread_);
    }

    // What stood there; `with` is put there if it is not 0. ~0: no answer.
    u64 exchange(u64 with)
    {
        constexpr u64 timeout_us = 2'000'000;
        Registers registers {};
        registers.words[0] = client_;
        registers.words[1] = 1;
        registers.words[2] = shared_address;
        registers.words[3] = with;
        auto const status = call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::call),
            now_ns() / 1000 + timeout_us);
        return status == status_ok ? registers.words[2] : ~u64 { 0 };
    }

    // Ends the task and takes all of it back.
    bool end()
    {
        if (cap(task_, CapOperation::destroy) == 0)
            return false;
        Registers step {};
        u64 cursor = 0;
        do {
            step.words[2] = task_;
            step.words[3] = cursor;
            if (operate(step, checks_.task_broker, Operation::task_reap) != status_ok)
                return false;
            cursor = step.words[2];
        } while (cursor != 0);
        cap(client_, CapOperation::close);
        cap(thread_, CapOperation::close);
        cap(task_, CapOperation::close);
        return true;
    }

private:
    Checks& checks_;
    u64 task_ = 0;
    u64 thread_ = 0;
    u64 client_ = 0;
};

// A copy of the pages that `peek` stands in, as far as there are two.
Memory code_of_peek()
{
    auto const code = memory_new(2 * page_bytes);
    auto const begin = align_down<u64>(reinterpret_cast<u64>(&peek), page_bytes);
    auto const end = align_up<u64>(reinterpret_cast<u64>(gemel_text_end), page_bytes);
    __builtin_memcpy(reinterpret_cast<void*>(code.address), reinterpret_cast<void const*>(begin),
        end - begin < 2 * page_bytes ? end - begin : 2 * page_bytes);
    return code;
}

u64 free_pages(Checks& checks)
{
    Registers totals {};
    operate(totals, capability(checks.startup, "broker-audit"), Operation::audit_totals);
    return totals.words[3];
}

// Goal: each task sees its own memory at an address that both use.
// Method: alternate between them, every answer checked.
void two_at_one_address(Checks& checks, Memory code)
{
    auto const first_memory = memory_new(page_bytes);
    auto const second_memory = memory_new(page_bytes);
    Peeker first(checks, code, memory_new(stack_bytes), first_memory);
    Peeker second(checks, code, memory_new(stack_bytes), second_memory);
    bool held = first.exchange(1000) == 0 && second.exchange(2000) == 0;
    for (u64 turn = 1; turn < 50; ++turn)
        held = held && first.exchange(1000 + turn) == 1000 + turn - 1
            && second.exchange(2000 + turn) == 2000 + turn - 1;
    checks.expect(held, "two tasks have each their own memory at one address");
    checks.expect(word_at(first_memory.address) == 1049 && word_at(second_memory.address) == 2049,
        "and it is the memory that was mapped");
    checks.expect(first.end() && second.end(), "both end and are reaped");
}

// Goal: a task never meets what an earlier one left in the processor, and nothing of it is kept.
// Method: many tasks in a row, each with other memory at the same address; count free pages.
void many_lives(Checks& checks, Memory code)
{
    auto const stack = memory_new(stack_bytes);
    Memory const memories[] = { memory_new(page_bytes), memory_new(page_bytes) };
    for (auto const& memory : memories)
        word_at(memory.address) = 1;
    u64 pages = 0;
    u64 held = 0;
    for (u64 life = 0; life < lives; ++life) {
        auto const& memory = memories[life % 2];
        auto const expected = life / 2 + 1;
        Peeker task(checks, code, stack, memory);
        held += task.exchange(expected + 1) == expected && task.end();
        if (life == 1) // tables of our own that only the first lives made
            pages = free_pages(checks);
    }
    checks.expect(held == lives, "every one of many tasks in a row sees its own memory");
    checks.expect(free_pages(checks) == pages, "and its pages come back");
}

} // namespace

} // namespace gemel

void gemel_program_start(gemel::Startup const* startup)
{
    using namespace gemel;
    Checks checks { *startup };
    code_changes(checks);
    auto const code = code_of_peek();
    two_at_one_address(checks, code);
    many_lives(checks, code);
    print(checks.passed);
    print(" passed, ");
    print(checks.failed);
    print(" failed, 0 skipped\n");
    power_off(*startup, checks.failed == 0 ? 0 : 2);
}
