#include "sim/explore/strategy.hpp"

#include <gtest/gtest.h>
#include <set>

namespace gemel::sim {
namespace {

constexpr Candidate three[] = { { 4 }, { 5 }, { 6 } };

// How often each candidate was chosen in `steps` steps.
std::vector<u32> counts(StrategyKind kind, u64 seed, u64 steps)
{
    Strategy strategy { kind, seed };
    strategy.on(true);
    std::vector<u32> chosen(3);
    for (u64 step = 0; step < steps; ++step)
        ++chosen[strategy.choose(three, step, 0)];
    return chosen;
}

// How many of the first `steps` steps are the first of two threads', for each of many seeds.
constexpr u32 steps_of_two = 8;
std::vector<u32> shares(StrategyKind kind, u64 object)
{
    constexpr u64 seeds = 9000;
    std::vector<u32> found(steps_of_two + 1);
    for (u64 seed = 0; seed < seeds; ++seed) {
        Strategy strategy { kind, seed };
        strategy.on(true);
        Candidate two[] = { { 4, 0, object }, { 5, 0, object } };
        for (u64 step = 0; step < steps_of_two; ++step)
            ++two[strategy.choose(two, step, object)].entries;
        ++found[two[0].entries];
    }
    return found;
}

TEST(Strategy, RunToBlockIsTheKernelsChoice)
{
    EXPECT_EQ(counts(StrategyKind::run_to_block, 1, 1000)[0], 1000u);
}

TEST(Strategy, ARandomWalkChoosesEach)
{
    for (auto const count : counts(StrategyKind::random_walk, 1, 3000))
        EXPECT_GT(count, 800u);
}

// Goal: few delays, at most as many as there are change points.
TEST(Strategy, DelaysAreFew)
{
    for (u64 seed = 1; seed < 50; ++seed)
        EXPECT_LE(counts(StrategyKind::delay, seed, 3000)[1], 8u);
}

// Goal: the starvation bound: whoever the strategy put last, the kernel's choice comes through.
TEST(Strategy, NobodyStarves)
{
    for (u64 seed = 1; seed < 50; ++seed)
        EXPECT_GE(counts(StrategyKind::pct, seed, 8192)[0], 1000u);
}

TEST(Strategy, ThePortfolioHasThemAll)
{
    u32 seen = 0;
    for (u64 seed = 0; seed < 100; ++seed)
        seen |= 1u << static_cast<u32>(resolved(StrategyKind::portfolio, seed));
    EXPECT_EQ(seen, 0xFFu & ~(1u << static_cast<u32>(StrategyKind::portfolio)));
}

// Goal: the portfolio rotates: so many seeds in a row have each of its strategies once.
TEST(Strategy, ThePortfolioRotates)
{
    for (u64 first = 0; first < 50; ++first) {
        std::set<StrategyKind> seen;
        for (u64 seed = first; seed < first + strategies - 1; ++seed)
            seen.insert(resolved(StrategyKind::portfolio, seed));
        EXPECT_EQ(seen.size(), strategies - 1);
    }
}

// Goal: whoever is ready and passed over runs after a bounded number of steps, whatever its rank.
TEST(Strategy, TheBoundHoldsForEveryThread)
{
    constexpr u64 steps = 30'000;
    constexpr u64 most = 2 * Strategy::passes_max; // the kernel's own windows stand in between
    for (auto const kind : { StrategyKind::pct, StrategyKind::pos, StrategyKind::urw })
        for (u64 seed = 1; seed < 30; ++seed) {
            Strategy strategy { kind, seed };
            strategy.on(true);
            Candidate ready[] = { { 4 }, { 5 }, { 6 } };
            u64 last[3] = {};
            for (u64 step = 0; step < steps; ++step) {
                auto const pick = strategy.choose(ready, step, 0);
                ++ready[pick].entries;
                EXPECT_LE(step - last[pick], most) << name_of(kind) << " seed " << seed;
                last[pick] = step;
            }
            for (auto const then : last)
                EXPECT_LE(steps - then, most) << name_of(kind) << " seed " << seed;
        }
}

// Goal: partial order sampling: that all of a thread's n steps come before one of another has a
// chance of 1 / (n + 1), as a step waits with the priority that it drew; a walk's is 2^-n.
TEST(Strategy, PartialOrderSamplingLetsAStepWait)
{
    auto const pos = shares(StrategyKind::pos, 0);
    EXPECT_NEAR(pos[0], 1000, 150);
    EXPECT_NEAR(pos[steps_of_two], 1000, 150);
    EXPECT_LE(shares(StrategyKind::random_walk, 0)[0], 100u);
}

// Goal: a step that was about the same object draws anew for those who wait. Method: then each step
// is a draw of both, which is a walk.
TEST(Strategy, PartialOrderSamplingDrawsAnewAtAConflict)
{
    EXPECT_LE(shares(StrategyKind::pos, 7)[0], 100u);
}

// Goal: by what is left, as estimated: each share of the steps is as likely as any other.
TEST(Strategy, AWalkByWhatIsLeftIsUniform)
{
    for (auto const count : shares(StrategyKind::urw, 0))
        EXPECT_NEAR(count, 1000, 150);
}

} // namespace
} // namespace gemel::sim
