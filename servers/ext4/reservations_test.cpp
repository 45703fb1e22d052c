#include "servers/ext4/reservations.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

std::vector<u64> starts(Reservations const& kept, u32 inode, u64 start, u64 end)
{
    std::vector<u64> found;
    kept.each_of_others(
        inode, start, end, [&](auto const& window) { found.push_back(window.start); });
    return found;
}

} // namespace

// Goal: a window is its inode's alone, shrinks as it is taken, and waits for one file block.
TEST(Reservations, AWindowIsTakenFromItsStart)
{
    Reservations kept;
    kept.set(7, { 100, 5000, 16 });
    EXPECT_FALSE(kept.find(7, 99));
    EXPECT_FALSE(kept.find(8, 100));
    kept.take(7, 6);
    EXPECT_FALSE(kept.find(7, 100));
    auto const rest = kept.find(7, 106);
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->start, 5006u);
    EXPECT_EQ(rest->count, 10u);
    kept.take(7, 10);
    EXPECT_EQ(kept.size(), 0u);
}

// Goal: others see it, its inode does not; one for each inode; the oldest gives way.
TEST(Reservations, OthersLeaveItAlone)
{
    Reservations kept;
    for (u32 inode = 1; inode <= Reservations::windows_max; ++inode)
        kept.set(inode, { 0, inode * u64 { 100 }, 10 });
    EXPECT_EQ(starts(kept, 3, 200, 500), (std::vector<u64> { 200, 400 }));
    kept.set(3, { 0, 450, 10 });
    EXPECT_EQ(kept.size(), Reservations::windows_max);
    EXPECT_EQ(starts(kept, 0, 300, 500), (std::vector<u64> { 400, 450 }));
    kept.set(1000, { 0, 5, 1 });
    EXPECT_EQ(kept.size(), Reservations::windows_max);
    EXPECT_FALSE(kept.find(1, 0));
    EXPECT_TRUE(kept.find(2, 0));
    kept.drop(2);
    EXPECT_FALSE(kept.find(2, 0));
    kept.drop_all();
    EXPECT_TRUE(starts(kept, 0, 0, ~0ull).empty());
}

// Goal: a bound holds until something may have become free.
TEST(FreeRuns, ABoundHoldsUntilSomethingIsFree)
{
    FreeRuns runs;
    EXPECT_TRUE(runs.may_hold(5, 1000));
    runs.note(5, 20);
    runs.note(5, 30);
    EXPECT_TRUE(runs.may_hold(5, 20));
    EXPECT_FALSE(runs.may_hold(5, 21));
    EXPECT_TRUE(runs.may_hold(4, 1000));
    EXPECT_TRUE(runs.may_hold(6, 1000));
    runs.forget(5);
    EXPECT_TRUE(runs.may_hold(5, 1000));
    runs.note(5, 0);
    runs.forget_all();
    EXPECT_TRUE(runs.may_hold(5, 1000));
}

} // namespace gemel::ext4::test
