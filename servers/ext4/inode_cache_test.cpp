#include "servers/ext4/inode_cache.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4 {

namespace {

Inode inode(u32 number, u32 links)
{
    Inode made {};
    made.number = number;
    made.links = links;
    return made;
}

// Goal: an inode is known as it was put last, until it or its block is forgotten.
TEST(InodeCache, KnowsWhatWasPutLast)
{
    InodeCache cache;
    EXPECT_FALSE(cache.find(0));
    EXPECT_FALSE(cache.find(2));
    cache.forget(2);
    cache.forget_block(7);
    cache.put(inode(2, 3), 7);
    cache.put(inode(3, 1), 7);
    cache.put(inode(20, 1), 8);
    cache.put(inode(2, 4), 7);
    ASSERT_TRUE(cache.find(2));
    EXPECT_EQ(cache.find(2)->links, 4u);
    EXPECT_FALSE(cache.find(0));
    cache.forget(3);
    EXPECT_FALSE(cache.find(3));
    EXPECT_TRUE(cache.find(2));
    cache.forget_block(7);
    EXPECT_FALSE(cache.find(2));
    EXPECT_TRUE(cache.find(20));
}

// Goal: the bound holds, what is left is right, and a block takes all of its inodes along.
// Method: three times as many as fit, and blocks that the counts cannot tell apart.
TEST(InodeCache, IsBoundedAndNeverWrong)
{
    InodeCache cache;
    constexpr u32 count = 3 * InodeCache::entries_max;
    constexpr u64 far = 4 * InodeCache::entries_max; // counted as the block 0 is
    for (u32 number = 1; number <= count; ++number)
        cache.put(inode(number, number + 1), number % 2 * far);
    auto const known = [&] {
        u32 found = 0;
        for (u32 number = 1; number <= count; ++number) {
            if (auto const* const each = cache.find(number)) {
                EXPECT_EQ(each->links, number + 1);
                ++found;
            }
        }
        return found;
    };
    EXPECT_EQ(known(), InodeCache::entries_max);
    cache.forget_block(far);
    EXPECT_EQ(known(), InodeCache::entries_max / 2);
    cache.forget_block(0);
    EXPECT_EQ(known(), 0u);
}

} // namespace

} // namespace gemel::ext4
