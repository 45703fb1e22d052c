#include "servers/ext4/read_ahead.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace gemel::ext4::test {

constexpr u64 kib = 1024;

// Goal: reads that follow each other get windows that double up to the limit, and none within one.
TEST(ReadAhead, DoublesWhileReadsFollowEachOther)
{
    ReadAhead ahead;
    u64 end = 0; // of what was read
    std::vector<u64> windows;
    for (u64 offset = 0; offset < 1024 * kib; offset += 4 * kib) {
        auto const behind = ahead.note(offset, 4 * kib);
        if (offset + 4 * kib + behind > end)
            windows.push_back(offset + 4 * kib + behind - std::max(end, offset + 4 * kib));
        end = std::max(end, offset + 4 * kib + behind);
    }
    EXPECT_EQ(windows,
        (std::vector<u64> {
            16 * kib, 32 * kib, 64 * kib, 128 * kib, 256 * kib, 256 * kib, 256 * kib }));
}

// Goal: nothing is read ahead of reads that come from anywhere; who goes on there begins small.
TEST(ReadAhead, NothingForRandomReads)
{
    ReadAhead ahead;
    for (u64 each = 1; each < 100; ++each)
        EXPECT_EQ(ahead.note(each * 7919 % 100 * 8 * kib + 4 * kib, 4 * kib), 0u);
    ReadAhead another;
    EXPECT_EQ(another.note(400 * kib, 4 * kib), 0u);
    EXPECT_EQ(another.note(404 * kib, 4 * kib), 16 * kib);
    EXPECT_EQ(another.note(0, 4 * kib), 0u);
    EXPECT_EQ(another.note(424 * kib, 4 * kib), 0u);
    EXPECT_EQ(another.note(428 * kib, 4 * kib), 16 * kib);
}

// Goal: large reads are followed by larger windows at once.
TEST(ReadAhead, LargeReadsBeginLarge)
{
    ReadAhead ahead;
    EXPECT_EQ(ahead.note(0, 64 * kib), 128 * kib);
    EXPECT_EQ(ahead.note(64 * kib, 64 * kib), 64 * kib); // what is left of it
    EXPECT_EQ(ahead.note(128 * kib, 64 * kib), 0u);
    EXPECT_EQ(ahead.note(192 * kib, 64 * kib), 256 * kib);
    ReadAhead large;
    EXPECT_EQ(large.note(0, 1024 * kib), ReadAhead::bytes_max);
}

} // namespace gemel::ext4::test
