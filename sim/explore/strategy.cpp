#include "sim/explore/strategy.hpp"

#include <iterator>

namespace gemel::sim {

namespace {

constexpr u64 domain_walk = 1024;
constexpr u64 domain_priority = 1025;
constexpr u64 domain_change = 1026;
constexpr u64 domain_rate = 1027;
constexpr u64 domain_step = 1029;

// In the last eighth of each window the kernel's own choice stands: whoever waits for the others to
// finish something comes to its end.
constexpr u64 window = 4096;
constexpr u64 fair = window - window / 8;

constexpr std::string_view names[strategies]
    = { "run-to-block", "random-walk", "preempt", "pct", "delay", "portfolio", "pos", "urw" };
constexpr StrategyKind rotation[]
    = { StrategyKind::run_to_block, StrategyKind::random_walk, StrategyKind::pct,
          StrategyKind::preempt, StrategyKind::pos, StrategyKind::delay, StrategyKind::urw };

} // namespace

char const* name_of(StrategyKind kind)
{
    return names[static_cast<u32>(kind)].data();
}

StrategyKind strategy_of(std::string_view name, bool& known)
{
    known = true;
    for (u32 i = 0; i < strategies; ++i)
        if (names[i] == name)
            return static_cast<StrategyKind>(i);
    known = false;
    return StrategyKind::portfolio;
}

StrategyKind resolved(StrategyKind kind, u64 seed)
{
    if (kind != StrategyKind::portfolio)
        return kind;
    return rotation[seed % std::size(rotation)];
}

Strategy::Strategy(StrategyKind kind, u64 seed)
    : kind_(resolved(kind, seed))
    , seed_(seed)
    , preempt_rate_(1u << (24 + mix(seed, domain_rate, 0, 0) % 7)) // 1/256 to 1/4
{
    // Change points are log-uniform in distance: a short run has them too.
    changes_ = 1 + static_cast<u32>(mix(seed, domain_change, 0, 0) % changes_max);
    for (u32 i = 0; i < changes_; ++i) {
        auto const draw = mix(seed, domain_change, 1, i);
        auto const bits = 4 + draw % 14;
        change_at_[i] = (draw >> 8) & ((u64 { 1 } << bits) - 1);
    }
}

u64 Strategy::priority_of(u32 thread, u64 step) const
{
    for (u32 i = changes_; i-- > 0;)
        if (lowered_[i] == thread && change_at_[i] <= step)
            return i; // below everyone who was not lowered
    return changes_max + mix(seed_, domain_priority, thread, 0) % 1'000'000'007;
}

Strategy::Memory& Strategy::memory_of(u32 thread)
{
    if (thread >= memory_.size())
        memory_.resize(thread + 1);
    return memory_[thread];
}

u32 Strategy::choose(std::span<Candidate const> candidates, u64 step, u64 object)
{
    if (!on_ || kind_ == StrategyKind::run_to_block)
        return 0;
    if (began_ == ~0ull)
        began_ = step;
    step -= began_;
    if (step % window >= fair)
        return 0;
    auto const count = static_cast<u32>(candidates.size());
    auto const draw = mix(seed_, domain_walk, 0, step);
    if (kind_ == StrategyKind::random_walk)
        return static_cast<u32>(draw % count);
    if (kind_ == StrategyKind::preempt)
        return (draw & 0xFFFF'FFFF) < preempt_rate_
            ? 1 + static_cast<u32>((draw >> 32) % (count - 1))
            : 0;
    if (kind_ == StrategyKind::delay)
        return lowers(candidates[0].thread, step) ? 1 : 0;
    auto pick = ranked(candidates, step, object);
    for (u32 i = 0; i < count; ++i)
        if (++memory_of(candidates[i].thread).passed > passes_max)
            pick = i;
    memory_of(candidates[pick].thread).passed = 0;
    return pick;
}

u32 Strategy::ranked(std::span<Candidate const> candidates, u64 step, u64 object)
{
    if (kind_ == StrategyKind::pos)
        return by_partial_order(candidates, object);
    if (kind_ == StrategyKind::urw)
        return by_what_is_left(candidates, mix(seed_, domain_walk, 0, step));
    while (lowers(candidates[0].thread, step))
        continue;
    return by_priority(candidates, step);
}

// One of the change points was reached: its thread is remembered.
bool Strategy::lowers(u32 thread, u64 step)
{
    for (u32 i = 0; i < changes_; ++i) {
        if (lowered_[i] != 0 || change_at_[i] > step)
            continue;
        lowered_[i] = thread;
        return true;
    }
    return false;
}

u32 Strategy::by_priority(std::span<Candidate const> candidates, u64 step) const
{
    u32 best = 0;
    for (u32 i = 1; i < candidates.size(); ++i)
        if (priority_of(candidates[i].thread, step) > priority_of(candidates[best].thread, step))
            best = i;
    return best;
}

// Each step of a thread has a priority of its own, which is drawn anew when a step of another one
// was about the same object: so each order of the steps that matter has its chance. A thread's next
// step is not known; that it will be about what its last one was about is the guess.
u32 Strategy::by_partial_order(std::span<Candidate const> candidates, u64 object)
{
    u32 best = 0;
    u64 best_priority = 0;
    for (u32 i = 0; i < candidates.size(); ++i) {
        auto const& candidate = candidates[i];
        auto& memory = memory_of(candidate.thread);
        auto const is_new = memory.begun != u64 { candidate.entries } + 1;
        memory.begun = u64 { candidate.entries } + 1;
        if (!is_new && object != 0 && candidate.object == object)
            ++memory.redrawn;
        auto const priority = mix(
            seed_, domain_step, candidate.thread | u64 { memory.redrawn } << 32, candidate.entries);
        if (i == 0 || priority > best_priority)
            best = i, best_priority = priority;
    }
    return best;
}

// A thread is chosen with the chance that its share of what is left gives it: then every
// interleaving is as likely as any other. What is left is estimated by what was done.
u32 Strategy::by_what_is_left(std::span<Candidate const> candidates, u64 draw)
{
    u64 total = 0;
    auto const left = [&](Candidate const& candidate) {
        auto& memory = memory_of(candidate.thread);
        if (memory.begun == 0 || candidate.entries + 1 < memory.begun)
            memory.begun = u64 { candidate.entries } + 1;
        return candidate.entries + 2 - memory.begun;
    };
    for (auto const& candidate : candidates)
        total += left(candidate);
    auto rest = draw % total;
    for (u32 i = 0; i < candidates.size(); ++i) {
        auto const share = left(candidates[i]);
        if (rest < share)
            return i;
        rest -= share;
    }
    return 0;
}

} // namespace gemel::sim
