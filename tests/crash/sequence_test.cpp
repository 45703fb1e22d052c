#include "tests/crash/sequence.hpp"

#include <gtest/gtest.h>
#include <set>

namespace gemel::fs_crash {
namespace {

// What a sequence did behind what it prepared, as slots.
std::vector<Slot> done_by(Sequence const& sequence)
{
    std::vector<Slot> found;
    for (auto at = sequence.prepared(); at < sequence.steps().size(); ++at) {
        auto const op = sequence.steps()[at].op;
        if (!makes_durable(op))
            found.push_back({ op, std::nullopt });
        else if (found.empty() || found.back().sync)
            ADD_FAILURE() << "a sync that belongs to no operation";
        else
            found.back().sync = op;
    }
    return found;
}

// Goal: so many seeds in a row as there are sequences have each of them once, wherever they begin,
// and each can be done: no operation is left out because nothing is there for it.
TEST(Sequence, EachPairIsThereOnce)
{
    for (u32 const length : { 1u, 2u }) {
        auto const count = sequences_of(length);
        EXPECT_EQ(count, length == 1 ? 84u : 7056u);
        for (u64 const first : { u64 { 1 }, u64 { 1'000'003 } }) {
            std::set<std::vector<Slot>> seen;
            for (auto seed = first; seed < first + count; ++seed) {
                auto const slots = slots_of(seed, length);
                ASSERT_EQ(done_by({ seed, slots }), slots) << "seed " << seed;
                seen.insert(slots);
            }
            EXPECT_EQ(seen.size(), count) << length << " from " << first;
        }
    }
}

// Goal: of three, as many as are tried are different, and each can be done.
TEST(Sequence, ThreesAreASample)
{
    constexpr u64 tried = 20'000;
    std::set<std::vector<Slot>> seen;
    std::set<Slot> parts[slots_max];
    for (u64 seed = 1; seed <= tried; ++seed) {
        auto const slots = slots_of(seed, 3);
        ASSERT_EQ(done_by({ seed, slots }), slots) << "seed " << seed;
        seen.insert(slots);
        for (u32 place = 0; place < slots_max; ++place)
            parts[place].insert(slots[place]);
    }
    EXPECT_EQ(seen.size(), tried);
    for (auto const& each : parts)
        EXPECT_EQ(each.size(), slots);
    std::set<std::vector<Slot>> all;
    for (u64 seed = 1; seed <= sequences_of(3); ++seed)
        all.insert(slots_of(seed, 3));
    EXPECT_EQ(all.size(), sequences_of(3));
}

// Goal: another turn through all of them does the same to other files.
TEST(Sequence, AnotherTurnDrawsAnew)
{
    u32 others = 0;
    for (u64 seed = 1; seed <= sequences_of(1); ++seed) {
        Sequence const one { seed, slots_of(seed, 1) };
        Sequence const two { seed + sequences_of(1), slots_of(seed + sequences_of(1), 1) };
        others += one.steps()[one.prepared()].path != two.steps()[two.prepared()].path;
    }
    EXPECT_GT(others, sequences_of(1) / 2);
}

} // namespace
} // namespace gemel::fs_crash
