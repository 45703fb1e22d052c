#include "servers/rt/deadline.hpp"

#include <gtest/gtest.h>

namespace gemel {
namespace {

// Goal: a wait for ever so long is a long wait, never a short one.
// Method: instants around what the number word can carry, and around the end of 64 bits.
TEST(Deadline, TheFarFutureDoesNotWrapAround)
{
    EXPECT_EQ(Deadline::at_us(Deadline::us_max).us(), Deadline::us_max);
    EXPECT_EQ(Deadline::at_us(Deadline::us_max + 1).us(), Deadline::us_max);
    EXPECT_EQ(Deadline::at_ns(~u64 { 0 }).us(), Deadline::us_max);
    EXPECT_EQ(Deadline::at_ns((Deadline::us_max - 1) * 1000 + 1).us(), Deadline::us_max);
}

TEST(Deadline, RoundsUpAndIsNeverNone)
{
    EXPECT_EQ(Deadline::at_ns(0).us(), 1u);
    EXPECT_EQ(Deadline::at_ns(1000).us(), 1u);
    EXPECT_EQ(Deadline::at_ns(1001).us(), 2u);
    EXPECT_FALSE(Deadline::at_ns(0).is_none());
}

} // namespace
} // namespace gemel
