#include "servers/ext4/free_map.hpp"

#include <gtest/gtest.h>
#include <random>

namespace gemel::ext4::test {

namespace {

// The same by looking at each block.
struct Naive {
    std::vector<bool> used;

    u32 blocks() const { return static_cast<u32>(used.size()); }
    u32 find(u32 from) const
    {
        while (from < blocks() && used[from])
            ++from;
        return std::min(from, blocks());
    }
    u32 length(u32 from, u64 count_max) const
    {
        u32 count = 0;
        while (count < count_max && from + count < blocks() && !used[from + count])
            ++count;
        return count;
    }
    u32 longest_up_to(u64 wanted) const
    {
        u32 longest = 0;
        for (u32 at = 0; at < blocks(); ++at)
            longest = std::max(longest, length(at, wanted));
        return longest;
    }
    bool has_buddy(u32 order) const
    {
        for (u32 at = 0; at + (1u << order) <= blocks(); at += 1u << order) {
            if (length(at, 1u << order) == 1u << order)
                return true;
        }
        return false;
    }
};

std::vector<u8> bitmap_of(std::vector<bool> const& used)
{
    std::vector<u8> bytes(4096, 0xFF);
    for (usize each = 0; each < used.size(); ++each) {
        if (!used[each])
            bytes[each / 8] = static_cast<u8>(bytes[each / 8] & ~(1u << each % 8));
    }
    return bytes;
}

} // namespace

// Goal: every search finds what looking at each block does, whatever the density and the number of
// blocks.
TEST(FreeMap, AgreesWithLookingAtEach)
{
    std::mt19937 random(1);
    for (u32 round = 0; round < 300; ++round) {
        Naive naive { std::vector<bool>(1 + random() % 700) };
        bool used = false;
        auto const mean = 1 + random() % 60;
        for (auto&& each : naive.used) {
            used ^= random() % mean == 0;
            each = used;
        }
        FreeMap map(bitmap_of(naive.used), naive.blocks());
        FreeMap::Run const more { static_cast<u32>(random() % naive.blocks()),
            static_cast<u32>(random() % 100) };
        map.add_used(more);
        for (auto at = more.start; at < std::min(more.end(), naive.blocks()); ++at)
            naive.used[at] = true;
        for (u32 from = 0; from <= naive.blocks(); from += 1 + random() % 5) {
            auto const wanted = 1 + random() % 80;
            ASSERT_EQ(map.find(from), naive.find(from));
            ASSERT_EQ(map.length(from, wanted), naive.length(from, wanted));
            auto const run = map.choose(from, wanted);
            ASSERT_EQ(run.count, naive.length(run.start, wanted));
            bool const at_goal = from < naive.blocks() && !naive.used[from];
            if (at_goal)
                ASSERT_EQ(run.start, from);
            else
                ASSERT_EQ(run.count, naive.longest_up_to(wanted));
            auto const order = static_cast<u32>(random() % 8);
            auto const buddy = map.buddy(from, order);
            ASSERT_EQ(buddy.count, naive.has_buddy(order) ? 1u << order : 0u);
            if (buddy.count > 0) {
                ASSERT_EQ(buddy.start % buddy.count, 0u);
                ASSERT_EQ(naive.length(buddy.start, buddy.count), buddy.count);
            }
        }
    }
}

// Goal: a buddy is the next one behind the place, and the first one when there is none.
TEST(FreeMap, ABuddyIsNear)
{
    std::vector<bool> used(1000, true);
    for (u32 at = 64; at < 96; ++at)
        used[at] = used[at + 256] = false;
    FreeMap const map(bitmap_of(used), 1000);
    EXPECT_EQ(map.buddy(0, 5).start, 64u);
    EXPECT_EQ(map.buddy(65, 5).start, 320u);
    EXPECT_EQ(map.buddy(321, 5).start, 64u);
    EXPECT_EQ(map.buddy(0, 6).count, 0u);
}

} // namespace gemel::ext4::test
