#include "sim/explore/strategy.hpp"

namespace gemel::sim {

namespace {

constexpr u64 domain_walk = 1024;
constexpr u64 domain_priority = 1025;
constexpr u64 domain_change = 1026;
constexpr u64 domain_rate = 1027;
constexpr u64 domain_strategy = 1028;

// Starvation bound: in the last eighth of each window the kernel's own choice stands, so that a
// thread that was put last still goes on and a check of liveness means something.
constexpr u64 window = 4096;
constexpr u64 fair = window - window / 8;

constexpr std::string_view names[strategies]
    = { "run-to-block", "random-walk", "preempt", "pct", "delay", "portfolio" };

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
    return static_cast<StrategyKind>(mix(seed, domain_strategy, 0, 0) % (strategies - 1));
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

u32 Strategy::choose(std::span<Candidate const> candidates, u64 step)
{
    if (!on_ || kind_ == StrategyKind::run_to_block)
        return 0;
    if (began_ == ~0ull)
        began_ = step;
    step -= began_;
    if (step % window >= fair)
        return 0;
    auto const& current = candidates[0];
    auto const count = static_cast<u32>(candidates.size());
    auto const draw = mix(seed_, domain_walk, 0, step);
    if (kind_ == StrategyKind::random_walk)
        return static_cast<u32>(draw % count);
    if (kind_ == StrategyKind::preempt)
        return (draw & 0xFFFF'FFFF) < preempt_rate_
            ? 1 + static_cast<u32>((draw >> 32) % (count - 1))
            : 0;
    for (u32 i = 0; i < changes_; ++i) {
        if (lowered_[i] != 0 || change_at_[i] > step)
            continue;
        lowered_[i] = current.thread;
        if (kind_ == StrategyKind::delay)
            return 1;
    }
    if (kind_ == StrategyKind::delay)
        return 0;
    u32 best = 0;
    for (u32 i = 1; i < count; ++i)
        if (priority_of(candidates[i].thread, step) > priority_of(candidates[best].thread, step))
            best = i;
    return best;
}

} // namespace gemel::sim
