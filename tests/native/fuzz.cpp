// Random system calls and broker operations from two tasks at once, round after round: the kernel
// never faults, and when the tasks have ended it has every page, row, thread and task again. Stands
// in for init; its last line counts. Variables: seed, rounds, steps, trace.
//
// With trace=1 it makes only calls whose results do not depend on the machine or on time, one at a
// time, and prints each with its results and at the end of a round what AUDIT says, handles by the
// order of their appearance: the same text on every face (run.py traces).
#include "tests/native/fuzz_call.hpp"
#include "tests/native/line.hpp"

#include "core/object/task.hpp"

namespace gemel {

using namespace raw;

namespace {

struct Books {
    u64 pages;
    u64 rows;
    u64 threads_and_tasks;
    bool operator==(Books const&) const = default;
};

class Fuzz {
public:
    explicit Fuzz(Startup const& startup)
        : startup_(startup)
        , trace_(variable(startup, "trace", 0) != 0)
        , steps_(variable(startup, "steps", trace_ ? 150 : 400))
        , audit_(capability(startup, "broker-audit"))
        , puppets_(startup)
        , generator_(
              puppets_, variable(startup, "seed", 1), trace_ ? Scope::portable : Scope::everything)
    {
    }

    u64 run(u64 rounds);
    u64 calls() const { return calls_; }
    u64 refused() const { return refused_; }
    u64 faults() const { return puppets_.faults(); }
    // What was never made, and what never succeeded though it may: a line each. None: all was.
    u64 print_left_out() const;

private:
    void count(u64 number);

    void give_capabilities();
    bool round(u64 number);
    bool step();
    void finish(u64 number);
    void print_call(u64 number, Registers const& asked);
    void add_word(Line& line, u64 word);
    void add_handle(Line& line, u64 handle);
    void add_address(Line& line, u64 task, u64 address);
    void print_books();
    void print_rows();
    Books books();

    Startup const& startup_;
    bool trace_;
    u64 steps_;
    u64 audit_;
    Puppets puppets_;
    Generator generator_;
    Registers asked_[puppets_max] {};
    bool told_[puppets_max] {};
    u64 calls_ = 0;
    u64 refused_ = 0;
    struct Count {
        u64 tried = 0;
        u64 succeeded = 0;
    };
    Count of_calls_[call_last + 1] {};
    Count of_operations_[operations.size()] {};
};

Books Fuzz::books()
{
    Registers totals {};
    operate(totals, audit_, Operation::audit_totals);
    return { totals.words[3], totals.words[5], totals.words[6] };
}

// Both tasks may do what init may, but end the machine; each holds both, and every thread.
void Fuzz::give_capabilities()
{
    auto& handles = generator_.handles();
    handles.clear();
    constexpr std::string_view brokers[] = { "broker-task", "broker-mm", "broker-phys",
        "broker-irq", "broker-pio", "broker-sched", "broker-audit", "broker-machine" };
    for (u64 task = 0; task < tasks_in_round; ++task)
        for (u64 broker = 0; broker < 8; ++broker)
            handles.learn(puppets_.give(task, capability(startup_, brokers[broker]),
                              Right::call | Right::derive),
                broker_of(task, static_cast<Broker>(broker)));
    for (u64 task = 0; task < tasks_in_round; ++task) {
        for (u64 of = 0; of < tasks_in_round; ++of) {
            auto const handle = puppets_.give(
                task, puppets_.task(of).handle, rights_all & ~static_cast<Rights>(Right::destroy));
            handles.learn(handle, task, ObjectType::task);
            if (of == task)
                generator_.own_task(task, handle);
        }
        for (u64 number = 0; number < puppets_max; ++number)
            handles.learn(puppets_.give(task, puppets_.puppet(number).thread,
                              rights_all & ~static_cast<Rights>(Right::destroy)),
                task, ObjectType::thread);
    }
}

void Fuzz::count(u64 number)
{
    auto const& asked = asked_[number];
    auto const succeeded = puppets_.puppet(number).box->number == status_ok ? 1u : 0u;
    auto const call = asked.number & 0xFF;
    if (call >= call_first && call <= call_last) {
        ++of_calls_[call].tried;
        of_calls_[call].succeeded += succeeded;
    }
    auto const calls = static_cast<Call>(call) == Call::port_receive
        && (asked.number >> 8 & static_cast<u64>(ReceiveFlag::call)) != 0;
    if (!calls || generator_.handles().find(asked.words[0]) >= tasks_in_round * 8)
        return;
    for (u64 i = 0; i < operations.size(); ++i)
        if (static_cast<u64>(operations[i].operation) == (asked.words[1] & 0xFFFF)) {
            ++of_operations_[i].tried;
            of_operations_[i].succeeded += succeeded;
        }
}

u64 Fuzz::print_left_out() const
{
    u64 left = 0;
    auto const look = [&](std::string_view name, Count const& of, bool may_succeed) {
        if (of.tried != 0 && (of.succeeded != 0 || !may_succeed))
            return;
        ++left;
        Line().text(name).text(of.tried == 0 ? " was never tried" : " never succeeded").print();
    };
    for (auto const& info : gemel::calls)
        look(info.name, of_calls_[static_cast<u64>(info.call)], true);
    for (u64 i = 0; i < operations.size(); ++i) {
        auto const operation = operations[i].operation;
        // The machine's end is not, and it need not have messages that interrupt.
        look(operations[i].name, of_operations_[i],
            operation != Operation::power_off && operation != Operation::msi_allocate);
    }
    return left;
}

// A report has come: what the call has answered.
void Fuzz::finish(u64 number)
{
    told_[number] = false;
    ++calls_;
    refused_ += puppets_.puppet(number).box->number != status_ok;
    count(number);
    generator_.results(puppets_.puppet(number), asked_[number]);
    if (trace_)
        print_call(number, asked_[number]);
}

// One puppet is told, or (with more processors than one) every one that waits; then all that
// report. False: nobody is left that could do anything.
bool Fuzz::step()
{
    constexpr u64 wait_us = 1000;
    auto const first = generator_.random().below(puppets_max);
    bool any = false;
    for (u64 i = 0; i < puppets_max; ++i) {
        auto const number = (first + i) % puppets_max;
        auto& puppet = puppets_.puppet(number);
        if (puppet.token == 0 || puppet.gone)
            continue;
        any = true;
        generator_.choose(puppet);
        asked_[number] = *puppet.box;
        told_[number] = true;
        puppets_.tell(puppet);
        if (startup_.cpus == 1)
            break;
    }
    auto const one = startup_.cpus == 1 && (any || trace_);
    while (puppets_.collect(one ? 0 : now_ns() / 1000 + wait_us))
        any = true;
    for (u64 number = 0; number < puppets_max; ++number)
        if (told_[number] && puppets_.puppet(number).token != 0)
            finish(number);
    return any;
}

bool Fuzz::round(u64 number)
{
    if (!puppets_.begin())
        return false;
    give_capabilities();
    for (auto& told : told_)
        told = false;
    if (trace_)
        Line().text("round ").number(number).print();
    for (u64 steps = 0; steps < steps_ && step(); ++steps) { }
    if (trace_)
        print_books();
    return puppets_.end();
}

// How many rounds were right.
u64 Fuzz::run(u64 rounds)
{
    round(0); // what our own tables need is there from now on
    auto const before = books();
    u64 right = 0;
    for (u64 number = 1; number <= rounds; ++number) {
        auto const ended = round(number);
        auto const after = books();
        right += ended && after == before;
        if (ended && after == before)
            continue;
        Line().text("round ").number(number).text(ended ? ": the books" : ": not ended").print();
        Line().text("pages ").number(before.pages).text(" ").number(after.pages).print();
        Line().text("rows ").number(before.rows).text(" ").number(after.rows).print();
        Line()
            .text("threads, tasks ")
            .hex(before.threads_and_tasks)
            .text(" ")
            .hex(after.threads_and_tasks)
            .print();
        break;
    }
    return right;
}

// --- the trace ---

void Fuzz::add_word(Line& line, u64 word)
{
    auto const known = generator_.handles().find(word);
    if (word != 0 && known != ~u64 { 0 })
        line.text(" #").number(known);
    else
        line.text(" ").hex(word);
}

// By its number, or, when it was never told to who holds it, by its generation and how far its row
// is from the round's first.
void Fuzz::add_handle(Line& line, u64 handle)
{
    auto const& handles = generator_.handles();
    if (handles.find(handle) != ~u64 { 0 })
        return add_word(line, handle);
    line.text(" ?").number(handle >> 32).text("/").hex(static_cast<u32>(handle - handles.first()));
}

// An address is told from the begin of its task, or from where its puppets lie.
void Fuzz::add_address(Line& line, u64 task, u64 address)
{
    auto const& of = puppets_.task(task);
    if (address >= of.base)
        line.text(" base+").hex(address - of.base);
    else
        line.text(" begin+").hex(address - of.begin);
}

void Fuzz::print_call(u64 number, Registers const& asked)
{
    auto const& box = *puppets_.puppet(number).box;
    auto const call = asked.number & 0xFF;
    Line line;
    line.number(number).text(" ");
    if (call >= call_first && call <= call_last)
        line.text(gemel::calls[call - 1].name);
    else
        line.text("call ").number(call);
    line.text(" -> ").number(box.number & 0xFF);
    auto const inspects = static_cast<Call>(call) == Call::cap_move
        && (asked.words[2] >> 16 & 0xFF) == static_cast<u64>(CapOperation::inspect);
    auto const broker = generator_.handles().find(asked.words[0]) < tasks_in_round * 8;
    auto const reads = static_cast<Call>(call) == Call::port_send
        || static_cast<Call>(call) == Call::time
        || (static_cast<Call>(call) == Call::port_receive && broker);
    auto const maps = static_cast<Call>(call) == Call::vm_allocate;
    if (box.number == status_ok && maps)
        add_address(line, puppets_.puppet(number).task, box.words[2]);
    for (unsigned i = maps ? 3 : 0; box.number == status_ok && !reads && i < 8; ++i)
        if (box.words[i] == asked.words[i])
            line.text(" =");
        else if (!inspects)
            add_word(line, box.words[i]);
        else if (i != 4) // the object's page
            line.text(" ").hex(box.words[i]);
    if (box.number == status_ok && static_cast<Call>(call) == Call::port_receive && !broker)
        add_word(line, box.port);
    line.print();
    if (trace_ && variable(startup_, "asked", 0)) {
        Line words;
        for (auto const word : asked.words)
            add_word(words, word);
        words.print();
    }
}

void Fuzz::print_books()
{
    for (u64 task = 1; task < tasks_max; ++task) {
        Registers of {};
        of.words[2] = task;
        if (operate(of, audit_, Operation::audit_task) != status_ok)
            continue;
        if (task == 1)
            continue;
        Line()
            .text("task ")
            .number(task)
            .text(" pages left ")
            .number(of.words[2] & 0xFFFF'FFFF)
            .text(" rows left ")
            .number(of.words[2] >> 32)
            .text(" threads ")
            .hex(of.words[5])
            .print();
    }
    print_rows();
}

// Rows of the two tasks in the order of the table: type, rights, depth, children, badge.
void Fuzz::print_rows()
{
    constexpr u64 rows_looked_at = 512;
    for (u64 index = 1; index < rows_looked_at; ++index) {
        Registers row {};
        row.words[2] = index;
        if (operate(row, audit_, Operation::audit_row) != status_ok)
            break;
        auto const owner = row.words[2] & 0xFFFF'FFFF;
        if (owner <= 1)
            continue;
        Line line;
        line.text("row of ")
            .number(owner)
            .text(" type ")
            .number(row.words[2] >> 32)
            .text(" ")
            .hex(row.words[3])
            .text(" badge ")
            .hex(row.words[4]);
        add_handle(line, row.words[7] << 32 | index);
        line.print();
    }
}

} // namespace

} // namespace gemel

void gemel_program_start(gemel::Startup const* startup)
{
    using namespace gemel;
    Fuzz fuzz(*startup);
    auto const rounds = variable(*startup, "rounds", 20);
    auto const right = fuzz.run(rounds);
    Line()
        .number(fuzz.calls())
        .text(" calls, ")
        .number(fuzz.refused())
        .text(" refused, ")
        .number(fuzz.faults())
        .text(" faults")
        .print();
    // A short run cannot meet everything, and a trace keeps from what differs.
    constexpr u64 calls_for_all = 15'000;
    auto const all = fuzz.calls() >= calls_for_all && variable(*startup, "trace", 0) == 0;
    auto const left_out = all ? fuzz.print_left_out() : 0;
    auto const failed = (right == rounds ? 0 : 1) + left_out;
    Line().number(right).text(" passed, ").number(failed).text(" failed, 0 skipped").print();
    power_off(*startup, failed == 0 ? 0 : 2);
}
