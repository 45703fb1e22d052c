// What the scheduler promises, counted by the kernel's own ticks: a budget is held, the earliest
// deadline first meets what taking turns does not.
// sched-check [budget]       holds whatever the host does meanwhile
// sched-check exact-budget   where time passes for the machine's own work alone: simulated, or
// sched-check deadlines      counted in instructions
// sched-check spin MS        computes for so long
#include "servers/fskit/client.hpp"
#include "servers/protocols/scheduler.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/thread.hpp"

#include <atomic>

namespace gemel::sched_check {

namespace {

using protocol::Reservation;
using protocol::ReservationPolicy;
using protocol::Scheduler;

constexpr u64 ms = 1'000'000;
constexpr u64 tick = 10 * ms;
constexpr usize stack_bytes = 32 * 1024;
constexpr u8 usual_priority = 3;

// Exact: time passes for the machine's own work alone (simulated, or counted in instructions).
enum class Clock : u8 { of_the_host, exact };

// Some work between two looks at the time, so that a preemption falls into it.
u64 compute()
{
    constexpr u32 rounds = 200;
    for (u32 volatile i = 0; i < rounds;)
        i = i + 1;
    return system::time_ns();
}

struct Check {
    fskit::OpenFile out;
    Client<Scheduler> scheduler;
    Clock clock = Clock::of_the_host;
    u64 rounds_in_ms = 0; // of compute(), alone on the processor
    u64 failed = 0;

    void say(std::string const& line) { static_cast<void>(out.write(line + "\n")); }
    void expect(bool held, std::string_view what)
    {
        failed += held ? 0 : 1;
        say(concatenate(held ? "held: " : "FAIL sched-check: ", what));
    }
};

void calibrate(Check& check)
{
    constexpr u64 measured_ms = 50;
    auto const end = system::time_ns() + measured_ms * ms;
    u64 rounds = 0;
    while (compute() < end)
        ++rounds;
    check.rounds_in_ms = rounds / measured_ms + 1;
}

// --- a budget ---

struct Spinner {
    std::atomic<bool> ends { false };
    std::atomic<u64> rounds { 0 };
};

void spin(void* argument)
{
    auto& spinner = *static_cast<Spinner*>(argument);
    while (!spinner.ends) {
        static_cast<void>(compute());
        ++spinner.rounds;
    }
    spinner.rounds |= u64 { 1 } << 63; // it has ended
    for (;;)
        sleep_until(Deadline::none());
}

Result<Handle> scheduled(Handle const& thread)
{
    return thread.derive(Right::write | Right::derive);
}

constexpr u64 budget_ns = 2 * tick;
constexpr u64 period_ns = 10 * tick;

struct BudgetSeen {
    Reservation::Status::Reply periods;
    u64 limited_rounds;
    u64 other_rounds;
    bool held() const { return periods.most_ns <= budget_ns + tick; }
};

// The limited one would keep the other from running: it is more urgent.
Result<BudgetSeen> limited_beside_other(Check& check)
{
    constexpr u64 periods = 10;
    Spinner limited;
    Spinner other;
    auto const limited_thread = TRY(spawn_thread(spin, &limited, stack_bytes, "limited"));
    auto const other_thread = TRY(spawn_thread(spin, &other, stack_bytes, "other"));
    TRY(check.scheduler.call(Scheduler::SetPriority { 1, TRY(scheduled(other_thread)) }));
    auto made = TRY(check.scheduler.call(Scheduler::Reserve {
        ReservationPolicy::limit, 2, budget_ns, period_ns, TRY(scheduled(limited_thread)) }));
    Client<Reservation> const reservation(std::move(made.reservation));
    TRY(check.scheduler.call(Scheduler::Sleep { periods * period_ns + tick }));
    auto const seen = TRY(reservation.call(Reservation::Status {}));
    auto const result = BudgetSeen { seen, limited.rounds.load(), other.rounds.load() };
    limited.ends = true;
    other.ends = true;
    auto const ended = [](Spinner& one) { return one.rounds.load() >> 63 != 0; };
    while (!ended(limited) || !ended(other)) // they use this function's memory
        sleep_until(Deadline::after_ms(1));
    return result;
}

// A host that stops the scheduler's processor and not the limited one's breaks any budget, now and
// then; what does not hold its budgets breaks it every time.
Result<void> budget(Check& check)
{
    auto const tries = check.clock == Clock::exact ? 1 : 5;
    auto seen = TRY(limited_beside_other(check));
    for (auto i = 1; i < tries && !seen.held(); ++i)
        seen = TRY(limited_beside_other(check));
    auto const& periods = seen.periods;
    check.say(concatenate("budget: ", periods.periods, " periods, ", periods.used_ns / ms,
        " ms used, ", periods.most_ns / ms, " ms at most, stopped ", periods.stops, " times"));
    check.expect(
        periods.periods != 0 && seen.held(), "no period has more than its budget and a tick");
    check.expect(seen.other_rounds != 0, "who is less urgent runs meanwhile");
    if (check.clock == Clock::exact) {
        check.expect(periods.used_ns + tick >= periods.periods * budget_ns, "none has less");
        check.expect(
            seen.other_rounds > 2 * seen.limited_rounds, "who is less urgent has the rest");
    }
    return {};
}

// --- deadlines ---

struct Periodic {
    Check* check = nullptr;
    ReservationPolicy policy = ReservationPolicy::turns;
    u64 work_ms = 0;
    u64 period_ms = 0;
    u64 until_ns = 0;
    Handle thread;
    Client<Reservation> reservation;
    u64 jobs = 0;
    std::atomic<u64> missed { 0 };
    std::atomic<bool> reserved { false };
    std::atomic<bool> ended { false };
};

Result<void> reserve(Periodic& one)
{
    auto made = TRY(one.check->scheduler.call(Scheduler::Reserve { one.policy, usual_priority,
        align_up(one.work_ms * ms, tick) + tick, one.period_ms * ms, TRY(scheduled(one.thread)) }));
    one.reservation = Client<Reservation>(std::move(made.reservation));
    one.reserved = true;
    return {};
}

void work(void* argument)
{
    auto& one = *static_cast<Periodic*>(argument);
    while (!one.reserved)
        sleep_until(Deadline::after_ms(1));
    while (system::time_ns() < one.until_ns) {
        for (u64 rounds = one.work_ms * one.check->rounds_in_ms; rounds != 0; --rounds)
            static_cast<void>(compute());
        ++one.jobs;
        if (auto const next = one.reservation.call(Reservation::NextPeriod {}))
            one.missed = next->missed;
        else
            break;
    }
    one.ended = true;
    for (;;)
        sleep_until(Deadline::none());
}

struct Share {
    u64 work_ms;
    u64 period_ms;
};

// Taking turns of a tick, the first of them has its work done when all have had theirs: late. By
// the earliest deadline it waits for nobody, and the others have time enough.
constexpr Share shares[] = { { 25, 60 }, { 20, 400 }, { 20, 400 } };

Result<u64> missed_by(Check& check, ReservationPolicy policy, std::string_view name)
{
    constexpr u64 length_ms = 1000;
    Periodic set[std::size(shares)];
    auto const until = system::time_ns() + length_ms * ms;
    for (usize i = 0; i < std::size(shares); ++i) {
        auto& one = set[i];
        one.check = &check;
        one.policy = policy;
        one.work_ms = shares[i].work_ms;
        one.period_ms = shares[i].period_ms;
        one.until_ns = until;
        one.thread = TRY(spawn_thread(work, &one, stack_bytes, name));
        TRY(reserve(one));
    }
    u64 jobs = 0;
    u64 missed = 0;
    for (auto& one : set) {
        while (!one.ended)
            sleep_until(Deadline::after_ms(1));
        jobs += one.jobs;
        missed += one.missed;
    }
    check.say(concatenate(name, ": ", jobs, " jobs, ", missed, " missed their deadline"));
    return missed;
}

Result<void> deadlines(Check& check)
{
    auto const turns = TRY(missed_by(check, ReservationPolicy::turns, "turns"));
    auto const earliest = TRY(missed_by(check, ReservationPolicy::deadline, "deadline"));
    check.expect(turns > 0, "taking turns misses deadlines");
    check.expect(earliest == 0, "the earliest deadline first misses none");
    return {};
}

// Computes for so long, however little of the processor it gets.
int spin_for(u64 milliseconds)
{
    auto const end = system::time_ns() + milliseconds * ms;
    while (compute() < end) { }
    return 0;
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const& words = env.arguments();
    if (words.size() == 3 && words[1] == "spin") {
        u64 milliseconds = 0;
        for (auto const digit : words[2])
            milliseconds = milliseconds * 10 + static_cast<u64>(digit - '0');
        env.set_exit_status(static_cast<u8>(spin_for(milliseconds)));
        return {};
    }
    auto files = TRY(fskit::Files::create(TRY(env.take<protocol::Vfs>("vfs"))));
    Check check { .out = TRY(files.attach(TRY(env.take<protocol::File>("stdout")))),
        .scheduler = TRY(env.take<Scheduler>("scheduler")) };
    auto const what = words.size() > 1 ? words[1] : "budget";
    if (what == "exact-budget")
        check.clock = Clock::exact;
    if (what == "deadlines") {
        calibrate(check);
        TRY(deadlines(check));
    } else {
        TRY(budget(check));
    }
    env.set_exit_status(check.failed == 0 ? 0 : 1);
    return {};
}

} // namespace gemel::sched_check
