// sched: programs with a priority, a budget or a deadline of their own (docs/scheduling.md).
#include "servers/protocols/process.hpp"
#include "servers/protocols/scheduler.hpp"
#include "servers/rt/lock.hpp"
#include "servers/rt/thread.hpp"
#include "servers/tools/commands.hpp"

namespace gemel::tools {
namespace {

using protocol::Process;
using protocol::ReservationPolicy;
using protocol::Scheduler;

constexpr u64 ns_per_ms = 1'000'000;
constexpr u8 usual_priority = 3; // what init gives a program
constexpr usize text_piece_bytes = 40;
constexpr usize stack_bytes = 32 * 1024;
constexpr u64 ask_again_ms = 20; // a scheduler that is being started again
constexpr unsigned tries_max = 50;
// What this program was given and the other one is, too.
constexpr std::array<std::string_view, 6> passed_on { "console", "pipe", "clock", "log-tail",
    "audit", "init" };

struct Wanted {
    ReservationPolicy policy = ReservationPolicy::turns;
    u8 priority = usual_priority;
    u64 budget_ns = 0;
    u64 period_ns = 0;
    std::vector<std::string> words; // the program and its arguments
    bool tells = false; // what it has used, at its end
};

// One program, and what the scheduler holds of it.
struct Run {
    Client<Process> process;
    Client<Scheduler> scheduler;
    Wanted const& wanted;
    Guarded<Client<protocol::Reservation>> reservation {};
};

Result<void> add_text(
    Client<Process> const& process, protocol::ProcessText kind, std::string_view text)
{
    for (;;) {
        auto const piece = text.substr(0, text_piece_bytes);
        TRY(process.call(Process::AddText { kind, piece }));
        text.remove_prefix(piece.size());
        if (piece.size() < text_piece_bytes)
            return {};
    }
}

Result<std::string> find_program(Context& context, std::string const& name)
{
    if (name.find('/') != std::string::npos)
        return context.absolute(name);
    auto search = context.env().variable("PATH").value_or("/gemel/bin:/bin");
    while (!search.empty()) {
        auto const end = std::min(search.find(':'), search.size());
        auto path = concatenate(search.substr(0, end), "/", name);
        if (context.files().status(path))
            return path;
        search.remove_prefix(std::min(end + 1, search.size()));
    }
    return Error::not_found;
}

Result<void> give(Client<Process> const& process, std::string_view name, Handle what)
{
    TRY(process.call(Process::Give { name, std::move(what) }));
    return {};
}

Result<void> give_all(Context& context, Client<Process> const& process,
    Client<protocol::Processes> const& processes, Client<Scheduler> const& scheduler)
{
    auto& env = context.env();
    if (env.has("stdin"))
        TRY(give(process, "stdin", TRY(env.take_handle("stdin"))));
    TRY(give(process, "stdout", TRY(context.out().file().share())));
    TRY(give(process, "stderr", TRY(context.errors().file().share())));
    TRY(give(process, "vfs", TRY(context.files().session_for_another())));
    constexpr Rights rights = Right::call | Right::derive;
    TRY(give(process, "process", TRY(processes.handle().derive(rights))));
    TRY(give(process, "scheduler", TRY(scheduler.handle().derive(rights))));
    for (auto const name : passed_on)
        if (env.has(name))
            TRY(give(process, name, TRY(env.take_handle(name))));
    return {};
}

Result<Client<Process>> start(Context& context, Wanted const& wanted,
    Client<protocol::Processes> const& processes, Client<Scheduler> const& scheduler)
{
    auto const path = TRY(find_program(context, wanted.words[0]));
    auto process
        = Client<Process>(std::move(TRY(processes.call(protocol::Processes::Create {})).process));
    TRY(add_text(process, protocol::ProcessText::path, path));
    for (auto const& word : wanted.words)
        TRY(add_text(process, protocol::ProcessText::argument, word));
    for (auto const variable : context.env().variables())
        TRY(add_text(process, protocol::ProcessText::variable, variable));
    TRY(give_all(context, process, processes, scheduler));
    if (wanted.policy != ReservationPolicy::turns) // what it holds for holds for all its threads
        TRY(process.call(Process::Limit { 1 }));
    TRY(process.call(Process::Hold {})); // it runs under its terms from the start, or not at all
    TRY(process.call(Process::Start {}));
    return process;
}

Result<void> reserve(Run& run)
{
    auto thread = std::move(TRY(run.process.call(Process::Thread {})).thread);
    if (run.wanted.policy == ReservationPolicy::turns) {
        TRY(run.scheduler.call(Scheduler::SetPriority { run.wanted.priority, std::move(thread) }));
        return {};
    }
    auto made = TRY(run.scheduler.call(Scheduler::Reserve { run.wanted.policy, run.wanted.priority,
        run.wanted.budget_ns, run.wanted.period_ns, std::move(thread) }));
    *run.reservation.lock() = Client<protocol::Reservation>(std::move(made.reservation));
    return {};
}

// A scheduler that ends while it is asked takes the thread's capability with it.
bool ended_amid(Error error)
{
    return error == Error::dead || error == Error::cap_invalid;
}

Result<void> reserve_first(Run& run)
{
    for (unsigned tries = 0;; ++tries) {
        auto const reserved = reserve(run);
        if (reserved || !ended_amid(reserved.error()) || tries == tries_max)
            return reserved;
        sleep_until(Deadline::after_ms(ask_again_ms));
    }
}

Result<void> let_go(Run const& run)
{
    TRY(run.process.call(Process::LetGo {}));
    return {};
}

Result<void> held(Run& run)
{
    auto own = TRY(run.reservation.lock()->duplicate());
    TRY(own.call(protocol::Reservation::Hold {}));
    return {};
}

// A scheduler that ended has forgotten everybody: the next one is asked for the same.
void keep(void* argument)
{
    auto& run = *static_cast<Run*>(argument);
    while (!held(run)) {
        sleep_until(Deadline::after_ms(ask_again_ms));
        if (auto const again = reserve(run); !again && again.error() == Error::unavailable)
            break; // the program has ended
    }
    sleep_until(Deadline::none());
}

void tell(Context& context, Run& run)
{
    auto own = run.reservation.lock()->duplicate();
    if (!own)
        return;
    if (auto const status = own->call(protocol::Reservation::Status {}))
        context.out().line(concatenate(status->periods, " periods, ", status->used_ns / ns_per_ms,
            " ms used, at most ", status->most_ns / ns_per_ms, " ms in one, stopped ",
            status->stops, " times"));
}

int run_program(Context& context, Wanted const& wanted)
{
    auto const processes = context.client<protocol::Processes>("process");
    auto scheduler = context.client<Scheduler>("scheduler");
    if (!processes || !scheduler)
        return status_failed;
    context.out().flush();
    auto process = start(context, wanted, *processes, *scheduler);
    if (!process)
        return context.fail(wanted.words[0], process.error());
    Run run { std::move(*process), std::move(*scheduler), wanted };
    auto begun = reserve_first(run);
    if (begun)
        begun = let_go(run);
    if (!begun) {
        static_cast<void>(run.process.call(Process::Kill { status_failed }));
        return context.fail("the scheduler", begun.error());
    }
    if (wanted.policy != ReservationPolicy::turns)
        if (auto thread = spawn_thread(keep, &run, stack_bytes, "keep"))
            thread->release(); // it lives as long as this task
    auto const ended = run.process.call(Process::Wait {});
    if (wanted.tells)
        tell(context, run);
    return ended ? ended->status : context.fail(wanted.words[0], ended.error());
}

int show(Context& context)
{
    auto const scheduler = context.client<Scheduler>("scheduler");
    if (!scheduler)
        return status_failed;
    auto const counts = scheduler->call(Scheduler::Tick {});
    if (!counts)
        return context.fail("the scheduler", counts.error());
    context.out().line(concatenate(counts->ticks, " ticks with more than one thread ready, ",
        counts->sleeps, " sleeps, ", counts->sleepers, " asleep"));
    return status_ok;
}

// The number at `at`, if there is one.
std::optional<u64> number_at(Context& context, std::vector<std::string> const& words, usize at)
{
    if (at < words.size())
        return context.number(words[at]);
    context.usage("a number is missing");
    return std::nullopt;
}

} // namespace

int run_sched(Context& context)
{
    auto words = context.arguments();
    if (words.empty())
        return show(context);
    Wanted wanted;
    if (words[0] == "-v") {
        wanted.tells = true;
        words.erase(words.begin());
    }
    auto const verb = words.empty() ? std::string() : words[0];
    usize program = 3;
    if (verb == "nice") {
        auto const priority = number_at(context, words, 1);
        if (!priority)
            return status_usage;
        wanted.priority = static_cast<u8>(std::min<u64>(*priority, 0xFF));
        program = 2;
    } else if (verb == "budget" || verb == "deadline") {
        wanted.policy = verb == "budget" ? ReservationPolicy::limit : ReservationPolicy::deadline;
        auto const budget = number_at(context, words, 1);
        auto const period = budget ? number_at(context, words, 2) : std::nullopt;
        constexpr u64 ms_max = 1'000'000;
        if (!period)
            return status_usage;
        wanted.budget_ns = std::min(*budget, ms_max) * ns_per_ms;
        wanted.period_ns = std::min(*period, ms_max) * ns_per_ms;
    } else {
        return context.usage("nice, budget or deadline");
    }
    if (words.size() <= program)
        return context.usage("which program?");
    wanted.words.assign(words.begin() + static_cast<std::ptrdiff_t>(program), words.end());
    return run_program(context, wanted);
}

} // namespace gemel::tools
