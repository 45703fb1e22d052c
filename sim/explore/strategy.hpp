// Who runs next, where the kernel leaves it open: the scheduler server may choose any ready thread
// at any time, so every answer is a run that the system must survive. No strategy finds every kind
// of bug; `portfolio` takes another one for each seed.
#pragma once

#include "sim/oracle/oracle.hpp"

#include <span>
#include <string_view>

namespace gemel::sim {

enum class StrategyKind : u8 {
    run_to_block, // the kernel's own choice
    random_walk, // each ready thread, with equal chance, at each kernel entry
    preempt, // another ready thread, with a chance that the seed draws
    pct, // Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees", ASPLOS 2010
    delay, // Emmi et al., "Delay-Bounded Scheduling", POPL 2011: few delays, anywhere
    portfolio,
};
inline constexpr u32 strategies = 6;

char const* name_of(StrategyKind kind);
// portfolio for a name that is none of them: see `known`.
StrategyKind strategy_of(std::string_view name, bool& known);
// The strategy that a seed uses.
StrategyKind resolved(StrategyKind kind, u64 seed);

struct Candidate {
    u32 thread = 0; // id
};

class Strategy {
public:
    Strategy(StrategyKind kind, u64 seed);

    // `candidates[0]` is the kernel's choice, the rest are ready; at least two. `step` counts the
    // kernel entries since the start. Answers an index.
    u32 choose(std::span<Candidate const> candidates, u64 step);
    void on(bool value) { on_ = value; }
    StrategyKind kind() const { return kind_; }

private:
    u64 priority_of(u32 thread, u64 step) const;

    static constexpr u32 changes_max = 8;

    StrategyKind kind_;
    u64 seed_;
    bool on_ = false;
    u64 began_ = ~0ull; // the step at which it was first asked
    u32 preempt_rate_;
    u32 changes_ = 0;
    u64 change_at_[changes_max] = {}; // steps after began_
    u32 lowered_[changes_max] = {}; // the thread that each change put last; 0: not yet
};

} // namespace gemel::sim
