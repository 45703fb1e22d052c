#include "sim/explore/strategy.hpp"

#include <gtest/gtest.h>

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
        ++chosen[strategy.choose(three, step)];
    return chosen;
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
    EXPECT_EQ(seen, 0x1Fu);
}

} // namespace
} // namespace gemel::sim
