#include "servers/ext4/cache_frames.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u32 region = 64;
constexpr auto contents = CacheList::contents;
constexpr auto metadata = CacheList::metadata;

// A cache of 128 frames.
struct Frames : CacheFrames {
    Frames()
        : CacheFrames(2 * region, region)
    {
        add_region();
        add_region();
    }
    // Reads pages one by one, as a cache would.
    void read(CacheList list, u64 first, u64 count)
    {
        for (auto page = first; page < first + count; ++page) {
            if (auto const frame = find(page))
                note_use(*frame);
            else
                ASSERT_TRUE(take(list, page, 1));
        }
    }
    u32 held(u64 first, u64 count) const
    {
        u32 found = 0;
        for (auto page = first; page < first + count; ++page)
            found += find(page).has_value();
        return found;
    }
};

} // namespace

// Goal: reading more contents than fit does not throw out metadata, whether it is used meanwhile or
// not, and the other way round; each keeps its half.
TEST(CacheFrames, AScanLeavesTheOtherList)
{
    Frames frames;
    frames.read(metadata, 1000, 48);
    frames.read(contents, 10'000, 5000);
    EXPECT_EQ(frames.held(1000, 48), 48u);
    EXPECT_EQ(frames.held(14'920, 80), 80u); // the rest is the contents'
    frames.read(metadata, 20'000, 5000);
    EXPECT_EQ(frames.held(24'936, 64), 64u);
    EXPECT_EQ(frames.held(10'000, 5000), 64u);
    frames.read(contents, 30'000, 5000);
    EXPECT_EQ(frames.held(34'936, 64), 64u);
    EXPECT_EQ(frames.held(20'000, 5000), 64u);
}

// Goal: what nobody else wants is there for either list.
TEST(CacheFrames, OneListMayHaveAll)
{
    Frames frames;
    frames.read(metadata, 0, 128);
    EXPECT_EQ(frames.held(0, 128), 128u);
    EXPECT_FALSE(frames.has_room(contents));
    frames.read(contents, 1000, 10);
    EXPECT_EQ(frames.held(1000, 10), 10u);
    EXPECT_EQ(frames.held(0, 128), 112u); // a segment less
}

// Goal: a page that is used again outlives those that are read once.
TEST(CacheFrames, WhatIsUsedGetsASecondChance)
{
    Frames frames;
    frames.read(contents, 0, 128);
    for (u64 each = 0; each < 1000; ++each) {
        ASSERT_TRUE(frames.find(3)) << each;
        frames.read(contents, 3, 1);
        frames.read(contents, 1000 + each, 1);
    }
    EXPECT_TRUE(frames.find(3));
    EXPECT_EQ(frames.held(1873, 127), 127u);
}

// Goal: being asked for once is what a page that was read ahead is there for: no second chance.
TEST(CacheFrames, ReadAheadIsNoUse)
{
    Frames frames;
    auto const run = frames.take(contents, 0, 16);
    ASSERT_EQ(run->count, 16u);
    for (u32 each = 0; each < 16; ++each)
        frames.at(run->first + each).ahead = true;
    frames.read(contents, 0, 16);
    EXPECT_FALSE(frames.at(run->first).used);
    frames.read(contents, 0, 1);
    EXPECT_TRUE(frames.at(run->first).used);
}

// Goal: a long read gets frames beside each other, at first and when all are full, and never beyond
// a region's end.
TEST(CacheFrames, RunsLieBesideEachOther)
{
    Frames frames;
    for (u64 page = 0; page < 10'000;) {
        auto const run = frames.take(contents, page, 24);
        ASSERT_TRUE(run);
        EXPECT_GE(run->count, 8u);
        EXPECT_EQ(run->first / region, (run->first + run->count - 1) / region);
        for (u32 each = 0; each < run->count; ++each)
            EXPECT_EQ(frames.find(page + each), run->first + each);
        page += run->count;
    }
    // Also among frames that were used here and there.
    for (u64 page = 9900; page < 10'000; page += 40)
        frames.read(contents, page, 1);
    EXPECT_GE(frames.take(contents, 20'000, 16)->count, 16u);
}

// Goal: dirty frames stay, whoever wants room; when all are, nobody gets one.
TEST(CacheFrames, DirtyFramesStay)
{
    Frames frames;
    frames.read(contents, 0, 128);
    for (u64 page = 0; page < 100; ++page)
        frames.mark_dirty(*frames.find(page), 1);
    frames.read(contents, 1000, 1000);
    frames.read(metadata, 5000, 1000);
    EXPECT_EQ(frames.held(0, 100), 100u);
    Frames full;
    full.read(contents, 0, 128);
    for (u64 page = 0; page < 128; ++page)
        full.mark_dirty(*full.find(page), 0x80);
    EXPECT_FALSE(full.take(contents, 1000, 1));
    EXPECT_FALSE(full.take(metadata, 1000, 1));
    EXPECT_EQ(full.held(0, 128), 128u);
}

// Goal: what is dirty comes out once, by page, without what was dropped.
TEST(CacheFrames, DirtyFramesComeByPage)
{
    Frames frames;
    for (u64 const page : { 90, 30, 70, 50 }) {
        auto const run = frames.take(contents, page, 1);
        frames.mark_dirty(run->first, 1);
        frames.mark_dirty(run->first, 2);
    }
    frames.drop(*frames.find(70));
    std::vector<u64> pages;
    for (auto const frame : frames.take_dirty()) {
        EXPECT_EQ(frames.at(frame).dirty, 3);
        pages.push_back(frames.at(frame).page);
    }
    EXPECT_EQ(pages, (std::vector<u64> { 30, 50, 90 }));
    EXPECT_EQ(frames.dirty_frames(), 0u);
}

// Goal: a page that becomes metadata moves, with what is dirty of it.
TEST(CacheFrames, APageMovesToTheOtherList)
{
    Frames frames;
    frames.read(contents, 0, 128);
    auto const before = *frames.find(5);
    frames.at(before).held = 0xFF;
    frames.mark_dirty(before, 6);
    auto const after = frames.move(before, metadata);
    ASSERT_TRUE(after);
    EXPECT_NE(*after, before);
    EXPECT_EQ(frames.find(5), *after);
    EXPECT_EQ(frames.at(*after).list, metadata);
    EXPECT_EQ(frames.at(*after).held, 0xFF);
    EXPECT_EQ(frames.at(*after).dirty, 6);
    EXPECT_EQ(frames.take_dirty(), std::vector<u32> { *after });
}

} // namespace gemel::ext4::test
