#include "frontends/fuse/wait_choice.hpp"

#include <gtest/gtest.h>

namespace gemel::fuse {
namespace {

using Way = WaitChoice::Way;

// What a wait takes in each way.
struct Host {
    u64 beside_ns;
    u64 apart_ns;
};

// Of `waits` waits on that host, how many were in the way.
u32 waits_in(WaitChoice& choice, Way way, Host host, u32 waits)
{
    u32 count = 0;
    for (u32 i = 0; i < waits; ++i) {
        count += choice.way() == way ? 1 : 0;
        choice.waited(choice.way() == Way::beside ? host.beside_ns : host.apart_ns);
    }
    return count;
}

constexpr Host quiet { 40'000, 20'000 };
constexpr Host busy { 10'000, 600'000 };
constexpr u32 many = 100'000;

} // namespace

// Goal: whatever the host, nearly all waits are in the way that is better there.
TEST(WaitChoice, FindsTheBetterWay)
{
    WaitChoice on_quiet;
    EXPECT_GT(waits_in(on_quiet, Way::apart, quiet, many), many * 95 / 100);
    WaitChoice on_busy;
    EXPECT_GT(waits_in(on_busy, Way::beside, busy, many), many * 95 / 100);
}

// Goal: a host that changes is noticed within a second of waiting, in either direction.
TEST(WaitChoice, FollowsTheHost)
{
    WaitChoice choice;
    waits_in(choice, Way::apart, quiet, many);
    auto const late = waits_in(choice, Way::apart, busy, many);
    EXPECT_LT(late * busy.apart_ns, 1'000'000'000u);
    auto const later = waits_in(choice, Way::beside, quiet, many);
    EXPECT_LT(later * quiet.beside_ns, 1'000'000'000u);
}

// Goal: trying the other way costs little, however bad it is. Method: what is lost beyond the
// better way, as a part of all.
TEST(WaitChoice, TrialsAreCheap)
{
    WaitChoice choice;
    waits_in(choice, Way::beside, busy, many);
    auto const apart = waits_in(choice, Way::apart, busy, many);
    EXPECT_GT(apart, 0u);
    EXPECT_LT(apart * busy.apart_ns, many * busy.beside_ns * 2 / 100);
}

// Goal: where both ways are alike, chance does not move the thread about.
TEST(WaitChoice, StaysWhereNothingIsGained)
{
    WaitChoice choice;
    EXPECT_GT(waits_in(choice, Way::beside, { 20'000, 19'000 }, many), many * 95 / 100);
}

// Goal: a caller's own pauses are no waits, and a single long wait decides nothing.
TEST(WaitChoice, PausesDoNotCount)
{
    WaitChoice choice;
    for (u32 i = 0; i < many; ++i) {
        choice.waited(WaitChoice::wait_max_ns + 1);
        EXPECT_EQ(choice.way(), Way::beside);
    }
}

} // namespace gemel::fuse
