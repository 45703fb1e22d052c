// The closed world: virtual time that moves by a fixed cost at each kernel entry and jumps when the
// machine idles, and every other instant chosen through the oracle.
#pragma once

#include "sim/explore/coverage.hpp"
#include "sim/explore/preemption.hpp"
#include "sim/explore/strategy.hpp"
#include "sim/oracle/oracle.hpp"
#include "sim/trace/trace.hpp"

#include <gemel/hosted/inspector.hpp>
#include <gemel/hosted/system.hpp>
#include <gemel/hosted/world.hpp>

#include <functional>
#include <map>
#include <string>

namespace gemel::sim {

// What went wrong. `check` names the rule that broke.
struct Failure {
    std::string check;
    std::string what;
    std::string task; // "" where it is nobody's
    u64 time_ns = 0;
    u64 event = 0;
};

// A thread was stopped inside its code, and another went on.
struct Stop {
    u32 thread = 0;
    u32 edge = 0; // of this thread
    u32 other = 0; // the thread that ran instead
    u64 place = 0; // in the executable, bytes from its start
    char task[20] = {};
    char other_task[20] = {};
};

class ClosedWorld final : public hosted::World {
public:
    static constexpr usize stops_kept = 1024;
    static constexpr u64 entry_ns = 1000; // what a kernel entry and the code before it cost

    // All of them outlive it.
    ClosedWorld(hosted::System& system, Oracle& oracle, Trace& trace, Strategy& strategy);

    // Fails ("liveness") when the run has not ended by then.
    void end_by(u64 time_ns) { end_ns_ = time_ns; }
    // The times of events and failures count on from there: the machine was switched on again.
    void begin_at(u64 time_ns) { begun_ns_ = time_ns; }
    // Of the whole run, however often the machine was switched on.
    u64 run_ns() const { return begun_ns_ + time_ns_; }
    // `then` runs at that time, in the order of the calls among equals.
    void at(u64 time_ns, std::function<void()> then);
    // Threads are stopped inside their code, too. It outlives the world.
    void preempt_by(Preemption& preemption) { preemption_ = &preemption; }
    // The machine has several processors: whose turn it is at a kernel exit is chosen, too, among
    // the threads that they run. It outlives the world.
    void processors_by(Strategy& strategy);
    // What the system does is counted in there. It outlives the world.
    void cover_in(Coverage& coverage) { coverage_ = &coverage; }
    // The first stops_kept stops, and a hash of all: with their places, so it is one build's.
    std::vector<Stop> const& stops() const { return stops_; }
    u32 stop_count() const { return stop_count_; }
    Hash const& stop_places() const { return stop_places_; }
    u64 edges() const { return edges_; } // of all threads
    // Called after every event; for replay's stops.
    void on_event(std::function<void()> hook) { event_hook_ = std::move(hook); }
    // Ends the run. Does not return.
    [[noreturn]] void fail(std::string check, std::string what, std::string task = {});
    // The machine stops where it is, without a failure. Does not return, and does not say so: a
    // sanitizer would look for the bounds of this stack, outside the jail.
    void cut_power();
    Failure const* failure() const { return failed_ ? &failure_ : nullptr; }
    // Asked when nothing can happen any more: true when it made something happen.
    void on_stuck(std::function<bool()> hook) { stuck_hook_ = std::move(hook); }
    void on_failure(std::function<void()> hook) { failure_hook_ = std::move(hook); }

    void phase(u32 number);
    void power_cut(u32 number);
    void console(char byte);
    // Which sites were reached, by index in hosted::sites().
    std::vector<u64> const& reached_counts() const { return reached_; }

    u64 now_ns() noexcept override { return time_ns_; }
    u64 entropy() noexcept override { return oracle_.entropy(); }
    void idle(u64 wake_ns) noexcept override;
    hosted::Fate entering(Thread& thread) override;
    void leaving(Kernel& kernel) override;
    void choosing(Kernel& kernel) override;
    i64 edges_ahead(Thread const& thread) override;
    void computed(Thread const& thread, u64 edges) override;
    bool preempts(Thread& thread, u64 place) override;
    void interrupted(u32 line) noexcept override;
    bool raises(u32 line) noexcept override;
    void faulted(Thread& thread, u64 address) override;
    void touched(Thread& thread) override;
    void broke(char const* what) noexcept override;
    void raced(std::string const& what, Thread const& thread) override;
    bool reached(hosted::Site const& site) override;

private:
    void note(EventKind kind, Thread const* thread, u16 call, u64 a, u64 b);
    void note_decision(Kind kind, u64 value);
    void run_due();
    void devices_act(Kernel& kernel);
    void raise_now(u32 line);
    void stop(Thread& thread, u64 place, Thread const& other);
    bool is_killed(Thread const& thread, u32 ordinal);
    u64 object_of(u64 handle);
    Candidate candidate_of(Thread const& thread) const;
    u32 choose_cpu(u32 ready, u32 usual);
    u32 decide_once(Kind kind, u32 wanted);
    void set_failure(std::string check, std::string what, std::string task);

    hosted::System& system_;
    Oracle& oracle_;
    Trace& trace_;
    Strategy& strategy_;
    Strategy* processors_ = nullptr;
    u64 begun_ns_ = 0;
    u64 time_ns_ = 0; // since the machine was switched on
    u64 end_ns_ = ~0ull;
    u64 sequence_ = 0;
    u64 entries_ = 0;
    u32 ticks_ = 0;
    u32 thread_entries_[threads_max] = {};
    u64 thread_object_[threads_max] = {}; // that its last entry is about
    u32 raises_[64] = {};
    u32 raises_left_[64] = {}; // of a burst, by line: one at each kernel exit
    Coverage* coverage_ = nullptr; // null: not counted
    Preemption* preemption_ = nullptr;
    u64 thread_edges_[threads_max] = {};
    u64 edges_ = 0;
    u32 runs_instead_ = 0; // the thread that a stop was for; 0: the kernel is entered by a call
    std::vector<Stop> stops_;
    u32 stop_count_ = 0;
    Hash stop_places_;
    std::map<std::string, u32> kills_; // by task name
    bool held_back_ = false; // a late line comes now
    u16 serving_ = 0; // the call that is made, and by whom: keys of what is decided at its end
    u16 served_ = 0;
    u64 decided_[kinds] = {}; // by kind: the entry that such a decision was made for
    std::map<std::pair<u64, u64>, std::function<void()>> due_; // by time, then order
    std::vector<u64> reached_; // by site
    std::vector<u32> labels_; // hashes of the sites' labels
    std::function<void()> event_hook_;
    std::function<void()> failure_hook_;
    std::function<bool()> stuck_hook_;
    bool failed_ = false;
    Failure failure_;
};

} // namespace gemel::sim
