// Sites in a closed world: which are counted, which may be made true, and which end the run.
#include "core/base/site.hpp"
#include "sim/world/closed_world.hpp"
#include "tests/support/in_system.hpp"

#include <gemel/hosted/site.hpp>

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string_view>

namespace gemel::sim {
namespace {

struct Seen {
    std::optional<Failure> failure;
    std::vector<u64> reached;
    u64 of(std::string_view label) const
    {
        auto const sites = hosted::sites();
        for (usize i = 0; i < sites.size(); ++i)
            if (sites[i].label == label)
                return reached[i];
        return ~0ull;
    }
};

Seen seen_of(std::function<void()> const& body)
{
    Oracle oracle { 1, Rates {} };
    Trace trace { Trace::Keep::hash };
    Strategy strategy { StrategyKind::run_to_block, 0 };
    std::unique_ptr<ClosedWorld> world;
    test::in_system([&](test::Init const&) { body(); }, 32u << 20,
        [&](hosted::System& system) {
            world = std::make_unique<ClosedWorld>(system, oracle, trace, strategy);
            system.machine().live_in(*world);
        });
    Seen seen { {}, world->reached_counts() };
    if (auto const* failure = world->failure())
        seen.failure = *failure;
    return seen;
}

// Goal: a state that nothing may lead to ends the run there, under its own name.
TEST(Site, WhatMustNeverBeEndsTheRun)
{
    auto went_on = false;
    auto const seen = seen_of([&] {
        NEVER("test.never");
        went_on = true;
    });
    ASSERT_TRUE(seen.failure);
    EXPECT_EQ(seen.failure->check, "never");
    EXPECT_EQ(seen.failure->what, "test.never");
    EXPECT_FALSE(went_on);
    EXPECT_EQ(seen.of("test.never"), 1u);
}

// Goal: the others are counted, each for itself, and no fault happens where none was asked for.
TEST(Site, OthersAreCounted)
{
    auto const seen = seen_of([&] {
        for (u32 i = 0; i < 3; ++i)
            SOMETIMES("test.sometimes");
        EXPECT_FALSE(BUGGIFY("test.fault"));
    });
    EXPECT_FALSE(seen.failure);
    EXPECT_EQ(seen.of("test.sometimes"), 3u);
    EXPECT_EQ(seen.of("test.fault"), 1u);
    EXPECT_EQ(seen.of("test.never"), 0u);
}

// Goal: outside a closed world a site is nothing, whatever its kind.
TEST(Site, OutsideTheyAreNothing)
{
    NEVER("test.outside");
    test::in_system([](test::Init const&) { NEVER("test.in_no_world"); });
    EXPECT_FALSE(BUGGIFY("test.no_fault"));
}

} // namespace
} // namespace gemel::sim
