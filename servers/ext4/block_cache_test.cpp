#include "servers/ext4/block_cache.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4 {

namespace {

BlockRef block_of(u8 value)
{
    return std::make_shared<std::vector<u8> const>(16, value);
}

// Goal: the cache stays in its bound and forgets what was not used for longest.
// Method: a cache of one set of 8; use the first of 8 again, insert a ninth.
TEST(BlockCache, ForgetsTheLeastRecentlyUsed)
{
    BlockCache cache(16, 16 * 8);
    for (u8 each = 0; each < 8; ++each)
        cache.insert(each, block_of(each));
    ASSERT_TRUE(cache.find(0));
    cache.insert(8, block_of(8));
    EXPECT_TRUE(cache.find(0));
    EXPECT_FALSE(cache.find(1));
    for (u64 each = 2; each <= 8; ++each) {
        auto const* const slot = cache.find(each);
        ASSERT_TRUE(slot);
        EXPECT_EQ(slot->bytes->front(), each);
    }
}

// Goal: whoever holds a block keeps it, whatever the cache does.
TEST(BlockCache, LeavesHeldBlocksAlive)
{
    BlockCache cache(16, 1);
    auto const held = cache.insert(1, block_of(1)).bytes;
    for (u64 each = 2; each < 20; ++each)
        cache.insert(each, block_of(0));
    EXPECT_FALSE(cache.find(1));
    EXPECT_EQ(held->front(), 1);
}

// Goal: a block that takes another's place is verified anew.
TEST(BlockCache, DoesNotInheritVerification)
{
    BlockCache cache(16, 1);
    for (u64 each = 0; each < 8; ++each)
        cache.insert(each, block_of(0)).verified_as = 7;
    EXPECT_EQ(cache.insert(8, block_of(0)).verified_as, 0u);
}

} // namespace

} // namespace gemel::ext4
