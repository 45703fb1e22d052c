// Who runs next, where the kernel leaves it open: the scheduler server may choose any ready thread
// at any time, so every answer is a run that the system must survive. No strategy finds every kind
// of bug; `portfolio` takes them in turn, seed by seed.
#pragma once

#include "sim/oracle/oracle.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace gemel::sim {

// Numbers are the journal's: add, never change.
enum class StrategyKind : u8 {
    run_to_block = 0, // the kernel's own choice
    random_walk = 1, // each ready thread, with equal chance, at each kernel entry
    preempt = 2, // another ready thread, with a chance that the seed draws
    pct = 3, // Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees", ASPLOS
             // 2010
    delay = 4, // Emmi et al., "Delay-Bounded Scheduling", POPL 2011: few delays, anywhere
    portfolio = 5,
    pos = 6, // Yuan, Yang, Gu, "Partial Order Aware Concurrency Sampling", CAV 2018
    urw = 7, // Zhao et al., "Selectively Uniform Concurrency Testing", ASPLOS 2025: by what is left
};
inline constexpr u32 strategies = 8;

char const* name_of(StrategyKind kind);
// portfolio for a name that is none of them: see `known`.
StrategyKind strategy_of(std::string_view name, bool& known);
// The strategy that a seed uses.
StrategyKind resolved(StrategyKind kind, u64 seed);

struct Candidate {
    u32 thread = 0; // id
    u32 entries = 0; // into the kernel, that the thread made
    u64 object = 0; // what its last one was about; 0: nothing that others share
};

class Strategy {
public:
    // A strategy that ranks threads passes one over at most so often in a row while it is ready:
    // then it runs, wherever its rank, and a check of liveness means something.
    static constexpr u32 passes_max = 1024;

    Strategy(StrategyKind kind, u64 seed);

    // `candidates[0]` is the kernel's choice, the rest are ready; at least two. `step` counts the
    // kernel entries since the start, and `object` is what the one that was just made is about.
    // Answers an index.
    u32 choose(std::span<Candidate const> candidates, u64 step, u64 object);
    void on(bool value) { on_ = value; }
    bool is_on() const { return on_; }
    StrategyKind kind() const { return kind_; }

private:
    // What is remembered of a thread, by its id.
    struct Memory {
        u64 begun = 0; // pos: the entry that its draw is for, and one; urw: where it began, and one
        u32 redrawn = 0; // pos: how often, for conflicts
        u32 passed = 0; // over, in a row
    };

    u32 ranked(std::span<Candidate const> candidates, u64 step, u64 object);
    u32 by_priority(std::span<Candidate const> candidates, u64 step) const;
    u32 by_partial_order(std::span<Candidate const> candidates, u64 object);
    u32 by_what_is_left(std::span<Candidate const> candidates, u64 draw);
    bool lowers(u32 thread, u64 step);
    u64 priority_of(u32 thread, u64 step) const;
    Memory& memory_of(u32 thread);

    static constexpr u32 changes_max = 8;

    StrategyKind kind_;
    u64 seed_;
    bool on_ = false;
    u64 began_ = ~0ull; // the step at which it was first asked
    u32 preempt_rate_;
    u32 changes_ = 0;
    u64 change_at_[changes_max] = {}; // steps after began_
    u32 lowered_[changes_max] = {}; // the thread that each change put last; 0: not yet
    std::vector<Memory> memory_;
};

} // namespace gemel::sim
