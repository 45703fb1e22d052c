#include "sim/world/closed_world.hpp"

#include "core/base/assert.hpp"
#include "sim/world/boundary.hpp"

#include <cstdio>
#include <utility>

namespace gemel::sim {

namespace {

constexpr u32 kills_per_task_max = 2; // what supervision promises to survive within its budget
constexpr u32 late_us_max = 5000;
constexpr u32 jump_ms_max = 200;
constexpr u32 burst_max = 32;
constexpr u32 reached_kind = kinds; // for coverage: a site was reached, whatever came of it
constexpr u8 status_failed = 250; // the machine's, where its own word does not count
constexpr u32 disk_line = 8;
constexpr u32 spurious_lines[] = { 4, disk_line }; // the serial line's and the first disk's

// init's end is the machine's, and the shell is the user: faults that end a task are not theirs.
bool is_spared(Task const& task)
{
    return task.index <= 1 || std::string_view { task.name } == "gsh";
}

constexpr u32 hash_of(char const* label)
{
    u32 value = 2166136261u; // FNV-1a
    for (; *label; ++label)
        value = (value ^ static_cast<u8>(*label)) * 16777619u;
    return value;
}

// A journal may name any processor.
constexpr bool is_ready(u32 ready, u32 cpu)
{
    return cpu < cpus_max && (ready >> cpu & 1) != 0;
}

} // namespace

ClosedWorld::ClosedWorld(hosted::System& system, Oracle& oracle, Trace& trace, Strategy& strategy)
    : system_(system)
    , oracle_(oracle)
    , trace_(trace)
    , strategy_(strategy)
    , reached_(hosted::sites().size())
{
    for (auto const& site : hosted::sites())
        labels_.push_back(hash_of(site.label));
}

void ClosedWorld::note(EventKind kind, Thread const* thread, u16 call, u64 a, u64 b)
{
    Event event;
    event.time_ns = run_ns();
    event.kind = kind;
    event.cpu = static_cast<u8>(system_.machine().cpu_number());
    event.thread = thread ? thread->id : 0;
    event.task = thread ? thread->task->index : 0;
    event.call = call;
    event.a = a;
    event.b = b;
    if (thread)
        trace_.name(event.task, thread->task->name);
    trace_.add(event);
    if (event_hook_)
        event_hook_();
}

void ClosedWorld::note_decision(Kind kind, u64 value)
{
    if (coverage_)
        coverage_->met(served_, static_cast<u32>(kind), kind == Kind::site ? value : 0);
    note(EventKind::decision, nullptr, 0, static_cast<u64>(kind), value);
}

void ClosedWorld::phase(u32 number)
{
    note(EventKind::phase, nullptr, 0, number, 0);
}

void ClosedWorld::power_cut(u32 number)
{
    note(EventKind::power_cut, nullptr, 0, number, 0);
}

void ClosedWorld::console(char byte)
{
    note(EventKind::console, nullptr, 0, static_cast<u8>(byte), 0);
}

// --- time ---

void ClosedWorld::at(u64 time_ns, std::function<void()> then)
{
    due_.emplace(std::pair { std::max(time_ns, time_ns_), sequence_++ }, std::move(then));
}

void ClosedWorld::run_due()
{
    while (!due_.empty() && due_.begin()->first.first <= time_ns_) {
        auto const then = std::move(due_.begin()->second);
        due_.erase(due_.begin());
        then();
    }
}

void ClosedWorld::idle(u64 wake_ns) noexcept
{
    auto next = wake_ns;
    if (!due_.empty())
        next = std::min(next, due_.begin()->first.first);
    // A timer that is further away than the end of the run helps nobody who waits for a key.
    if ((next == ~0ull || next > end_ns_) && stuck_hook_ && stuck_hook_())
        return;
    if (next == ~0ull) {
        std::string who;
        for (auto const& line : Inspector { system_.kernel() }.waits())
            who += "\n    " + line;
        fail("deadlock", "nothing can happen any more; who waits:" + who);
    }
    if (next > end_ns_)
        fail("liveness", "the run did not end in the time it had");
    time_ns_ = std::max(time_ns_, next);
    run_due();
}

// --- kernel entries ---

// The object that a handle names, as a number that is not 0; a reply goes to whoever waits for it.
u64 ClosedWorld::object_of(u64 handle)
{
    auto const rows = system_.kernel().rows();
    auto const index = static_cast<u32>(handle);
    if (handle == 0 || (handle & reply_token_bit) != 0 || index >= rows.size())
        return 0;
    return u64 { rows[index].object } + 1;
}

bool ClosedWorld::is_killed(Thread const& thread, u32 ordinal)
{
    auto const* name = thread.task->name;
    auto const spared = is_spared(*thread.task);
    auto const key = Key { Kind::task_kill, thread.id, ordinal };
    if (spared || oracle_.choose(key, 2, 0) == 0)
        return false;
    return kills_[name]++ < kills_per_task_max;
}

hosted::Fate ClosedWorld::entering(Thread& thread)
{
    time_ns_ += entry_ns;
    ++entries_;
    if (time_ns_ > end_ns_)
        fail("liveness", "the run did not end in the time it had");
    auto const ordinal = ++thread_entries_[thread.id];
    auto const event = entry_event(system_.kernel(), thread);
    serving_ = event.call;
    served_ = thread.id;
    thread_object_[thread.id] = object_of(event.a);
    if (coverage_)
        coverage_->entered(
            thread, serving_, asked_of(thread), thread_object_[thread.id], trace_.count() + 1);
    note(EventKind::enter, &thread, serving_, event.a, event.b);
    if (ends_by_assertion(thread))
        fail("assertion", "a task ended with a failed assertion", thread.task->name);
    if (!is_killed(thread, ordinal))
        return hosted::Fate::goes_on;
    if (coverage_)
        coverage_->met(thread.id, static_cast<u32>(Kind::task_kill), 0);
    note(EventKind::fault, &thread, 0, 0, 0);
    return hosted::Fate::faults;
}

// Whatever is chosen for what devices raise.
void ClosedWorld::raise_now(u32 line)
{
    held_back_ = true;
    system_.machine().raise(line);
    held_back_ = false;
}

void ClosedWorld::devices_act(Kernel& kernel)
{
    auto* current = kernel.cpu().current;
    auto const ordinal = static_cast<u32>(entries_);
    for (auto const line : spurious_lines) {
        if (oracle_.choose({ Kind::interrupt_spurious, line, ordinal }, 2, 0) != 0) {
            note_decision(Kind::interrupt_spurious, line);
            raise_now(line);
        }
        if (raises_left_[line] != 0) {
            --raises_left_[line];
            raise_now(line);
        }
    }
    auto const key = Key { Kind::tick_early, served_, thread_entries_[served_] };
    if (current && oracle_.choose(key, 2, 0) != 0) {
        note_decision(Kind::tick_early, current->id);
        system_.machine().tick_arrived();
    }
}

void ClosedWorld::leaving(Kernel& kernel)
{
    run_due();
    if (runs_instead_ != 0)
        return; // a tick, and nothing else: other decisions have a call of their own
    devices_act(kernel);
    auto& machine = system_.machine();
    if (machine.wake_ns() > time_ns_)
        return;
    auto const missed = oracle_.choose({ Kind::clock_jump, 0, ticks_++ }, jump_ms_max, 0);
    if (missed != 0)
        note_decision(Kind::clock_jump, missed);
    time_ns_ += u64 { missed } * 1'000'000;
    if (time_ns_ > end_ns_)
        fail("liveness", "the run did not end in the time it had");
    machine.tick_arrived();
}

Candidate ClosedWorld::candidate_of(Thread const& thread) const
{
    return { thread.id, thread_entries_[thread.id], thread_object_[thread.id] };
}

// One for each entry: a call that another processor made anew is left once more, and the key of a
// second decision would be the first one's.
u32 ClosedWorld::decide_once(Kind kind, u32 wanted)
{
    auto& decided = decided_[static_cast<u32>(kind)];
    auto const entry = u64 { served_ } << 32 | thread_entries_[served_];
    if (entry == 0 || decided == entry)
        return 0;
    decided = entry;
    return oracle_.decide({ kind, served_, thread_entries_[served_] }, wanted, 0);
}

void ClosedWorld::choosing(Kernel& kernel)
{
    auto* chosen = kernel.cpu().current;
    Inspector inspector { kernel };
    Thread* ready[Inspector::ready_max];
    auto const count = inspector.ready(ready);
    if (auto const wanted = std::exchange(runs_instead_, 0); wanted != 0) {
        for (u32 i = 0; i < count; ++i)
            if (ready[i]->id == wanted)
                inspector.run_instead(*(chosen = ready[i]));
    } else if (count != 0) {
        Candidate candidates[Inspector::ready_max + 1];
        candidates[0] = candidate_of(*chosen);
        for (u32 i = 0; i < count; ++i)
            candidates[i + 1] = candidate_of(*ready[i]);
        auto const pick
            = strategy_.choose({ candidates, count + 1 }, entries_, thread_object_[served_]);
        auto const wanted = pick == 0 ? 0 : candidates[pick].thread;
        auto const id = decide_once(Kind::schedule, wanted);
        for (u32 i = 0; id != 0 && i < count; ++i)
            if (ready[i]->id == id) {
                inspector.run_instead(*ready[i]);
                chosen = ready[i];
                break;
            }
    }
    if (coverage_)
        coverage_->resumed(chosen->id, chosen->frame.status());
    note(EventKind::resume, chosen, 0, chosen->frame.status(), 0);
}

void ClosedWorld::processors_by(Strategy& strategy)
{
    processors_ = &strategy;
    system_.on_choose_cpu([this](u32 ready, u32 usual) { return choose_cpu(ready, usual); });
}

// Who goes on is who its thread is: the strategies rank threads. A stop inside code was for a
// thread of the same processor.
u32 ClosedWorld::choose_cpu(u32 ready, u32 usual)
{
    auto const& kernel = system_.kernel();
    if (runs_instead_ != 0)
        return kernel.cpu_number();
    if (__builtin_popcount(ready) == 1)
        return usual;
    Candidate candidates[cpus_max];
    u32 numbers[cpus_max];
    u32 count = 0;
    auto const add = [&](u32 cpu) {
        candidates[count] = candidate_of(*kernel.cpu(cpu).current);
        numbers[count++] = cpu;
    };
    add(usual);
    for (u32 cpu = 0; cpu < kernel.cpu_count(); ++cpu)
        if (cpu != usual && is_ready(ready, cpu))
            add(cpu);
    auto const pick = processors_->choose({ candidates, count }, entries_, thread_object_[served_]);
    auto const wanted = pick == 0 ? 0 : numbers[pick] + 1;
    auto const answer = decide_once(Kind::processor, wanted);
    return answer != 0 && is_ready(ready, answer - 1) ? answer - 1 : usual;
}

// --- inside code ---

i64 ClosedWorld::edges_ahead(Thread const& thread)
{
    if (!preemption_)
        return hosted::edges_unlimited;
    auto const done = thread_edges_[thread.id];
    auto const next = oracle_.replaying() ? oracle_.next_given(Kind::preempt, thread.id, done + 1)
                                          : preemption_->next(thread.id, done);
    return next > ~u32 { 0 } ? hosted::edges_unlimited : static_cast<i64>(next - done - 1);
}

void ClosedWorld::computed(Thread const& thread, u64 edges)
{
    thread_edges_[thread.id] += edges;
    edges_ += edges;
}

bool ClosedWorld::preempts(Thread& thread, u64 place)
{
    auto const edge = thread_edges_[thread.id];
    Thread* ready[Inspector::ready_max];
    auto const count = Inspector { system_.kernel() }.ready(ready);
    if (!preemption_ || count == 0 || edge > ~u32 { 0 })
        return false;
    u32 wanted = 0;
    if (!oracle_.replaying() && preemption_->is_on())
        wanted = ready[preemption_->pick(thread.id, edge, count)]->id;
    auto const id = oracle_.decide({ Kind::preempt, thread.id, static_cast<u32>(edge) }, wanted, 0);
    for (u32 i = 0; id != 0 && i < count; ++i)
        if (ready[i]->id == id) {
            stop(thread, place, *ready[i]);
            return true;
        }
    return false;
}

void ClosedWorld::stop(Thread& thread, u64 place, Thread const& other)
{
    time_ns_ += entry_ns;
    if (time_ns_ > end_ns_)
        fail("liveness", "the run did not end in the time it had");
    runs_instead_ = other.id;
    ++stop_count_;
    stop_places_.add(place);
    if (stops_.size() < stops_kept) {
        Stop stop { thread.id, static_cast<u32>(thread_edges_[thread.id]), other.id, place };
        std::string_view { thread.task->name }.copy(stop.task, sizeof stop.task - 1);
        std::string_view { other.task->name }.copy(stop.other_task, sizeof stop.other_task - 1);
        stops_.push_back(stop);
    }
    note(EventKind::decision, &thread, 0, static_cast<u64>(Kind::preempt),
        thread_edges_[thread.id] << 16 | other.id);
}

void ClosedWorld::interrupted(u32 line) noexcept
{
    note(EventKind::interrupt, nullptr, 0, line, 0);
}

bool ClosedWorld::raises(u32 line) noexcept
{
    if (held_back_)
        return true;
    auto const ordinal = raises_[line]++;
    if (auto const more = oracle_.choose({ Kind::interrupt_burst, line, ordinal }, burst_max, 0);
        more != 0) {
        note_decision(Kind::interrupt_burst, more);
        raises_left_[line] = more;
    }
    // A serial line is a level: it is raised for as long as something is due.
    if (line == disk_line && oracle_.choose({ Kind::interrupt_lost, line, ordinal }, 2, 0) != 0) {
        note_decision(Kind::interrupt_lost, line);
        return false;
    }
    auto const late = oracle_.choose({ Kind::interrupt_late, line, ordinal }, late_us_max, 0);
    if (late == 0)
        return true;
    note_decision(Kind::interrupt_late, late);
    at(time_ns_ + u64 { late } * 1000, [this, line] { raise_now(line); });
    return false;
}

bool ClosedWorld::reached(hosted::Site const& site)
{
    auto const index = static_cast<usize>(&site - hosted::sites().data());
    auto const ordinal = static_cast<u32>(reached_[index]++);
    auto const* current = system_.kernel().cpu().current;
    if (coverage_ && current)
        coverage_->met(current->id, reached_kind, labels_[index]);
    if (site.kind == hosted::SiteKind::never)
        fail("never", site.label, current ? current->task->name : "");
    if (site.kind != hosted::SiteKind::fault || !current || is_spared(*current->task))
        return false;
    if (oracle_.choose({ Kind::site, labels_[index], ordinal }, 2, 0) == 0)
        return false;
    note_decision(Kind::site, labels_[index]);
    return true;
}

// --- the end ---

void ClosedWorld::set_failure(std::string check, std::string what, std::string task)
{
    failure_ = { std::move(check), std::move(what), std::move(task), run_ns(), trace_.count() };
    failed_ = true;
    if (failure_hook_)
        failure_hook_();
}

void ClosedWorld::fail(std::string check, std::string what, std::string task)
{
    if (!failed_)
        set_failure(std::move(check), std::move(what), std::move(task));
    system_.machine().power_off(status_failed);
    __builtin_unreachable();
}

void ClosedWorld::cut_power()
{
    system_.machine().power_off(status_failed);
}

void ClosedWorld::touched(Thread& thread)
{
    time_ns_ += entry_ns;
    ++entries_;
    ++thread_entries_[thread.id];
    served_ = thread.id;
    note(EventKind::fault, &thread, 0, 0, 0);
}

void ClosedWorld::faulted(Thread& thread, u64 address)
{
    char text[64];
    std::snprintf(text, sizeof text, "it faulted at address 0x%llx",
        static_cast<unsigned long long>(address));
    fail("crash", text, thread.task->name);
}

void ClosedWorld::raced(std::string const& what, Thread const& thread)
{
    fail("race", what, thread.task->name);
}

void ClosedWorld::broke(char const* what) noexcept
{
    auto const* current = system_.kernel().cpu().current;
    if (!failed_)
        set_failure("assertion", what, current ? current->task->name : "");
}

} // namespace gemel::sim
