#include "servers/clock/date.hpp"

#include <gtest/gtest.h>

namespace gemel::clock {

namespace {

// Goal: days are counted as the calendar does, leap years included, and no impossible date counts.
TEST(Date, Seconds)
{
    EXPECT_EQ(seconds_of({ 1970, 1, 1, 0, 0, 0 }), 0u);
    EXPECT_EQ(seconds_of({ 2000, 2, 29, 12, 0, 1 }), 951'825'601u);
    EXPECT_EQ(seconds_of({ 2023, 11, 14, 22, 13, 20 }), 1'700'000'000u);
    EXPECT_EQ(seconds_of({ 2100, 3, 1, 0, 0, 0 }), 4'107'542'400u);
    for (auto const& wrong : { Date { 1969, 12, 31, 0, 0, 0 }, Date { 2023, 2, 29, 0, 0, 0 },
             Date { 2023, 13, 1, 0, 0, 0 }, Date { 2023, 0, 1, 0, 0, 0 },
             Date { 2023, 1, 32, 0, 0, 0 }, Date { 2023, 1, 1, 24, 0, 0 },
             Date { 2023, 1, 1, 0, 60, 0 }, Date { 2500, 1, 1, 0, 0, 0 } })
        EXPECT_EQ(seconds_of(wrong), std::nullopt);
}

// Goal: every way in which the chip may be set says the same time.
TEST(Date, CmosEncodings)
{
    Date const evening { 2026, 11, 28, 23, 5, 9 };
    EXPECT_EQ(date_of({ 0x09, 0x05, 0x23, 0x28, 0x11, 0x26, 0x20, 0x02 }), evening);
    EXPECT_EQ(date_of({ 9, 5, 23, 28, 11, 26, 20, 0x06 }), evening);
    EXPECT_EQ(date_of({ 0x09, 0x05, 0x91, 0x28, 0x11, 0x26, 0x20, 0x00 }), evening);
    EXPECT_EQ(date_of({ 9, 5, 0x8B, 28, 11, 26, 0, 0x04 }), evening);
    EXPECT_EQ(date_of({ 0, 0, 0x92, 1, 1, 0x26, 0x20, 0x00 }).hour, 12u) << "noon";
    EXPECT_EQ(date_of({ 0, 0, 0x12, 1, 1, 0x26, 0x20, 0x00 }).hour, 0u) << "midnight";
}

} // namespace

} // namespace gemel::clock
