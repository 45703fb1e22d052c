#include "servers/scheduler/sleepers.hpp"

#include <gtest/gtest.h>

namespace gemel::scheduler {

// Goal: sleepers wake in time order, and not before their time.
TEST(Sleepers, WakeInOrder)
{
    Sleepers<int> sleepers;
    ASSERT_TRUE(sleepers.add(30, 3));
    ASSERT_TRUE(sleepers.add(10, 1));
    ASSERT_TRUE(sleepers.add(10, 2));
    EXPECT_EQ(sleepers.next_ns(), 10u);
    EXPECT_FALSE(sleepers.take_due(9));
    EXPECT_EQ(sleepers.take_due(10), 1);
    EXPECT_EQ(sleepers.take_due(10), 2);
    EXPECT_FALSE(sleepers.take_due(10));
    EXPECT_EQ(sleepers.take_due(31), 3);
    EXPECT_FALSE(sleepers.next_ns());
}

// Goal: the bound is an error, and takes nothing away.
TEST(Sleepers, RefuseOneTooMany)
{
    Sleepers<int> sleepers;
    for (usize i = 0; i < sleepers_max; ++i)
        ASSERT_TRUE(sleepers.add(i, 0));
    EXPECT_EQ(sleepers.add(1, 0).error(), Error::too_big);
    EXPECT_EQ(sleepers.count(), sleepers_max);
}

} // namespace gemel::scheduler
