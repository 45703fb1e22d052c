#include "servers/ext4/waiting_blocks.hpp"

#include <gtest/gtest.h>
#include <random>

namespace gemel::ext4::test {

namespace {

constexpr u32 block_bytes = 1024;
constexpr u32 inode = 12;

std::vector<u8> bytes_of(u8 value, u64 blocks)
{
    return std::vector<u8>(blocks * block_bytes, value);
}

void add(WaitingBlocks& waiting, u64 first, u64 blocks, u8 value, u64 size)
{
    waiting.add(inode, size, { first, blocks }, 0, bytes_of(value, blocks));
}

u8 byte_at(WaitingBlocks const& waiting, u64 block)
{
    u8 value = 0;
    waiting.read(inode, block * block_bytes, std::span(&value, 1));
    return value;
}

} // namespace

// Goal: what is written comes back, with zeros around it in its blocks.
TEST(WaitingBlocks, KeepBytes)
{
    WaitingBlocks waiting(block_bytes);
    waiting.begin();
    waiting.add(inode, 0, { 3, 2 }, 100, std::vector<u8>(1000, 7));
    EXPECT_EQ(waiting.note_inode(inode, 3 * block_bytes + 1100), 3u * block_bytes);
    waiting.keep();
    std::vector<u8> read(2 * block_bytes);
    waiting.read(inode, 3 * block_bytes, read);
    for (usize each = 0; each < read.size(); ++each)
        ASSERT_EQ(read[each], each >= 100 && each < 1100 ? 7 : 0) << each;
    waiting.overwrite(inode, 3 * block_bytes + 50, std::vector<u8>(1000, 9));
    waiting.read(inode, 3 * block_bytes, read);
    EXPECT_EQ(read[49], 0);
    EXPECT_EQ(read[50], 9);
    EXPECT_EQ(read[1049], 9);
    EXPECT_EQ(read[1050], 7);
}

// Goal: a long stretch is one, whatever pieces it came in and lies in.
TEST(WaitingBlocks, AStretchIsWholeOverItsPieces)
{
    constexpr u64 blocks = 3 * WaitingBlocks::run_bytes_max / block_bytes;
    WaitingBlocks waiting(block_bytes);
    waiting.begin();
    for (u64 each = 0; each < blocks; each += 5)
        add(waiting, each, 5, static_cast<u8>(each), 0);
    waiting.note_inode(inode, blocks * block_bytes);
    waiting.keep();
    auto const range = waiting.first_of(inode);
    EXPECT_EQ(range.first, 0u);
    EXPECT_EQ(range.blocks, (blocks + 4) / 5 * 5);
    EXPECT_EQ(byte_at(waiting, 100), 100);
    waiting.begin();
    waiting.drop(inode, 70, 71);
    waiting.note_inode(inode, blocks * block_bytes);
    waiting.keep();
    EXPECT_EQ(waiting.first_of(inode).blocks, 70u);
    EXPECT_TRUE(waiting.at(inode, 69).waits);
    EXPECT_FALSE(waiting.at(inode, 70).waits);
    EXPECT_EQ(waiting.at(inode, 70).blocks, 1u);
    EXPECT_EQ(byte_at(waiting, 71), 70);
}

// Goal: the disk is told no size that reaches over a block without a place, but for what it knew
// before; and the whole one when all have theirs.
TEST(WaitingBlocks, TheDiskKnowsNoSizeBeforeItsBlocks)
{
    WaitingBlocks waiting(block_bytes);
    waiting.begin();
    add(waiting, 5, 1, 1, 2000);
    EXPECT_EQ(waiting.note_inode(inode, 6 * block_bytes), 5u * block_bytes);
    waiting.keep();
    EXPECT_EQ(waiting.size_of(inode), 6u * block_bytes);
    waiting.begin();
    add(waiting, 9, 1, 1, 6 * block_bytes);
    EXPECT_EQ(waiting.note_inode(inode, 10 * block_bytes), 5u * block_bytes);
    waiting.keep();
    waiting.begin();
    waiting.drop(inode, 5, 6); // it has its place
    EXPECT_EQ(waiting.note_inode(inode, 10 * block_bytes), 9u * block_bytes);
    waiting.keep();
    waiting.begin();
    add(waiting, 2, 1, 1, 10 * block_bytes); // in a hole that the disk knows of
    EXPECT_EQ(waiting.note_inode(inode, 10 * block_bytes), 9u * block_bytes);
    EXPECT_EQ(waiting.note_inode(inode, 2500), 2500u); // cut
    waiting.drop(inode, 3, ~u64 { 0 });
    EXPECT_EQ(waiting.note_inode(inode, 2500), 2500u);
    waiting.keep();
    waiting.begin();
    waiting.drop(inode, 0, ~u64 { 0 });
    EXPECT_EQ(waiting.note_inode(inode, 20'000), 20'000u);
    waiting.keep();
    EXPECT_FALSE(waiting.size_of(inode));
    EXPECT_EQ(waiting.promised(), 0u);
}

// Goal: an operation that is rolled back leaves what was there before, counts and all, also the
// empty state.
// Method: random operations beside a model; half of them are rolled back.
TEST(WaitingBlocks, FollowTheirOperations)
{
    constexpr u64 blocks_max = 200;
    std::mt19937_64 random(4711);
    WaitingBlocks waiting(block_bytes);
    std::map<u64, u8> model;
    u64 size = 0;
    for (u32 round = 0; round < 3000; ++round) {
        auto const before = waiting.promised();
        auto next = model;
        auto const keeps = random() % 2 == 0;
        waiting.begin();
        for (auto steps = 1 + random() % 3; steps > 0; --steps) {
            auto const first = random() % blocks_max;
            auto const end = std::min<u64>(first + 1 + random() % 30, blocks_max);
            if (random() % 2 == 0) {
                waiting.drop(inode, first, end);
                next.erase(next.lower_bound(first), next.lower_bound(end));
                continue;
            }
            auto const stretch = waiting.at(inode, first);
            auto const count = std::min(end - first, stretch.blocks);
            if (stretch.waits)
                continue;
            auto const value = static_cast<u8>(random());
            auto const growth = waiting.growth(inode, first, count);
            auto const promised = waiting.promised();
            add(waiting, first, count, value, size);
            EXPECT_LE(waiting.promised(), promised + growth);
            for (auto each = first; each < first + count; ++each)
                next[each] = value;
        }
        auto const grown = random() % (blocks_max * block_bytes);
        waiting.note_inode(inode, grown);
        if (keeps) {
            waiting.keep();
            model = next;
            size = grown;
        } else {
            waiting.roll_back();
            EXPECT_EQ(waiting.promised(), before);
        }
        ASSERT_EQ(waiting.blocks(), model.size());
        ASSERT_EQ(waiting.blocks_of(inode), model.size());
        ASSERT_EQ(waiting.size_of(inode).has_value(), !model.empty());
        if (!model.empty()) {
            ASSERT_EQ(*waiting.size_of(inode), size);
        }
        for (u64 each = 0; each < blocks_max; ++each) {
            ASSERT_EQ(waiting.at(inode, each).waits, model.contains(each)) << each;
            if (model.contains(each)) {
                ASSERT_EQ(byte_at(waiting, each), model[each]);
            }
        }
    }
}

// Goal: one long stretch is promised little more than its own blocks; blocks that lie apart may
// each need another part of the map; the file that gets its places just now promises nothing.
TEST(WaitingBlocks, PromiseWhatTheMapMayNeed)
{
    WaitingBlocks waiting(block_bytes);
    waiting.begin();
    for (u64 each = 0; each < 1000; ++each)
        add(waiting, each, 1, 1, 0);
    waiting.note_inode(inode, 1000 * block_bytes);
    waiting.keep();
    EXPECT_GT(waiting.promised(), 1000u);
    EXPECT_LT(waiting.promised(), 1100u);
    waiting.set_placing(inode);
    EXPECT_EQ(waiting.promised(), 0u);
    waiting.set_placing(0);
    waiting.begin();
    for (u64 each = 2000; each < 2100; each += 2)
        add(waiting, each, 1, 1, 0);
    waiting.note_inode(inode, 2100 * block_bytes);
    waiting.keep();
    EXPECT_GT(waiting.promised(), 1000u + 50 + 50 * 6);
}

} // namespace gemel::ext4::test
