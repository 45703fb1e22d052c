#include "sim/explore/preemption.hpp"

#include <gtest/gtest.h>

namespace gemel::sim {
namespace {

// The stops of a thread up to `last`, when it is asked after every `stride` edges.
std::vector<u64> stops_of(u64 seed, u64 first, u64 last, u64 stride)
{
    Preemption preemption { seed };
    preemption.on(true);
    std::vector<u64> stops;
    for (auto done = first; done < last;) {
        auto const next = preemption.next(7, done);
        if (next <= done + stride) {
            stops.push_back(next);
            done = next;
        } else {
            done += stride;
        }
    }
    return stops;
}

// Goal: stops are the seed's and the thread's: how often the kernel was entered moves none.
TEST(Preemption, StopsDoNotDependOnWhenItIsAsked)
{
    for (u64 seed = 1; seed < 40; ++seed) {
        auto const often = stops_of(seed, 500, 100'000, 1);
        auto const rarely = stops_of(seed, 500, 100'000, 10'000);
        auto const both = std::min(often.size(), rarely.size());
        ASSERT_GE(both, 1u);
        EXPECT_TRUE(std::equal(often.begin(), often.begin() + both, rarely.begin())) << seed;
    }
}

// Goal: of many seeds some stop nearly everywhere and some hardly ever.
TEST(Preemption, SeedsDifferInHowFarStopsLieApart)
{
    u64 most = 0;
    u64 least = ~0ull;
    for (u64 seed = 1; seed < 60; ++seed) {
        auto const count = stops_of(seed, 1, 200'000, 1000).size();
        most = std::max<u64>(most, count);
        least = std::min<u64>(least, count);
    }
    EXPECT_GT(most, 19'000u);
    EXPECT_LT(least, 10u);
}

TEST(Preemption, OffMeansNever)
{
    Preemption preemption { 1 };
    EXPECT_EQ(preemption.next(7, 100), ~0ull);
}

// Goal: a run whose stops lie close ends all the same.
TEST(Preemption, StopsAreBounded)
{
    Preemption preemption { 1 };
    preemption.on(true);
    for (u32 i = 0; i < Preemption::stops_max; ++i)
        EXPECT_LT(preemption.pick(7, i, 3), 3u);
    EXPECT_EQ(preemption.next(7, 100), ~0ull);
}

// Goal: a replay knows its next stop, of this thread and no other.
TEST(Preemption, AReplayFindsTheNextGivenStop)
{
    Decision const given[] = { { { Kind::preempt, 7, 100 }, 3 }, { { Kind::preempt, 8, 50 }, 3 },
        { { Kind::preempt, 7, 900 }, 4 } };
    Oracle const oracle { 1, given };
    EXPECT_EQ(oracle.next_given(Kind::preempt, 7, 0), 100u);
    EXPECT_EQ(oracle.next_given(Kind::preempt, 7, 100), 100u);
    EXPECT_EQ(oracle.next_given(Kind::preempt, 7, 101), 900u);
    EXPECT_EQ(oracle.next_given(Kind::preempt, 7, 901), ~0ull);
    EXPECT_EQ(oracle.next_given(Kind::preempt, 6, 0), ~0ull);
}

} // namespace
} // namespace gemel::sim
