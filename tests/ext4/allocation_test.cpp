// How blocks are given to files that grow at the same time, and to the last one there is.
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u64 block_bytes = 1024;

class AllocationTest : public testing::Test {
protected:
    void start(std::string const& size, std::string const& options = {})
    {
        make_empty_image(image_, "-b 1024 " + options, size);
        written_.emplace(image_);
    }
    void unmount()
    {
        ASSERT_TRUE(writer().unmount());
        EXPECT_TRUE(written_->errors().sentences.empty());
        written_.reset();
        expect_clean(image_);
    }
    VolumeWriter& writer() { return written_->writer(); }
    u32 file(std::string const& name)
    {
        return writer().create({ root_inode, name }, { .mode = 0100644 }).value();
    }
    u64 append(u32 inode, u64 offset, u64 bytes)
    {
        auto const done = writer().write(inode, offset, std::vector<u8>(bytes, u8(inode)));
        return done ? *done : 0;
    }
    u64 free_blocks() { return written_->volume().statistics().free_blocks; }
    // Of a file on the unmounted image.
    usize extents(std::string const& name)
    {
        auto const said = Debugfs(image_).ask({ "dump_extents -l " + name })[0];
        return static_cast<usize>(std::count(said.begin(), said.end(), '\n')) - 1;
    }

    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
    std::optional<WrittenVolume> written_;
};

} // namespace

// Goal: files that grow by turns, a little at a time, have long extents all the same.
TEST_F(AllocationTest, InterleavedWritersGetLongExtents)
{
    start("64M");
    std::vector<u32> files;
    for (auto const* name : { "a", "b", "c" }) {
        files.push_back(file(name));
        writer().opened(files.back());
    }
    for (u64 offset = 0; offset < 8 << 20; offset += 4 * block_bytes) {
        for (auto const each : files)
            ASSERT_EQ(append(each, offset, 4 * block_bytes), 4 * block_bytes);
    }
    for (auto const each : files)
        ASSERT_TRUE(writer().closed(each));
    unmount();
    for (auto const* name : { "a", "b", "c" }) {
        EXPECT_LE(extents(name), 16u) << name; // 2,048 writes
        EXPECT_GE(extents(name), 1u) << name;
    }
}

// Goal: one file after the other, each closed, leaves nothing free between them.
TEST_F(AllocationTest, ClosedFilesLieBesideEachOther)
{
    start("16M");
    std::vector<std::string> names;
    for (u32 each = 0; each < 50; ++each) {
        names.push_back("f" + std::to_string(each));
        auto const made = file(names.back());
        writer().opened(made);
        for (u64 offset = 0; offset < 3 * block_bytes; offset += block_bytes)
            ASSERT_EQ(append(made, offset, block_bytes), block_bytes);
        ASSERT_TRUE(writer().closed(made));
    }
    unmount();
    u64 before = 0;
    usize gaps = 0;
    for (auto const& name : names) {
        auto const blocks = Debugfs(image_).blocks(Debugfs(image_).inode_of("/" + name));
        ASSERT_EQ(blocks.size(), 3u);
        EXPECT_EQ(blocks[2], blocks[0] + 2);
        gaps += before != 0 && blocks[0] != before + 1;
        before = blocks[2];
    }
    EXPECT_LE(gaps, 2u); // a block of the directory, a step over what was used
}

// Goal: what is kept for files that grow is no space that is missing: to the last block it is given
// to whoever asks, and a write that does not fit any more says so exactly.
TEST_F(AllocationTest, KeptBlocksAreGivenBeforeSpaceEnds)
{
    start("16M", "-m 0");
    std::vector<u32> files;
    for (u32 each = 0; each < 8; ++each) {
        files.push_back(file("f" + std::to_string(each)));
        writer().opened(files.back());
        append(files.back(), 0, 2 * block_bytes);
        append(files.back(), 2 * block_bytes, 2 * block_bytes); // something is kept for each
    }
    auto const last = file("last");
    u64 offset = 0;
    while (auto const done = append(last, offset, 7 * block_bytes))
        offset += done;
    EXPECT_EQ(written_->volume().statistics().available_blocks, 0u);
    EXPECT_EQ(append(files[0], 4 * block_bytes, 1), 0u);
    EXPECT_EQ(append(files[0], 4 * block_bytes - 1, 1), 1u); // in a block that it has
    ASSERT_TRUE(writer().resize(last, 0));
    EXPECT_GT(free_blocks(), 10'000u);
    for (auto const each : files) {
        EXPECT_EQ(append(each, 4 * block_bytes, 10 * block_bytes), 10 * block_bytes);
        ASSERT_TRUE(writer().closed(each));
    }
    unmount();
}

// Goal: a file that is cut and grows again, is removed while something is kept for it, or is
// rolled back, leaves every block accounted for.
TEST_F(AllocationTest, WhatIsKeptFollowsTheFile)
{
    start("16M");
    auto const made = file("a");
    writer().opened(made);
    for (u32 round = 0; round < 20; ++round) {
        for (u64 offset = 0; offset < 64 * block_bytes; offset += 3 * block_bytes)
            ASSERT_GT(append(made, offset, 3 * block_bytes), 0u);
        ASSERT_TRUE(writer().resize(made, round * 5 * block_bytes / 2));
    }
    ASSERT_TRUE(writer().remove({ root_inode, "a" }, Removal::file));
    ASSERT_TRUE(writer().closed(made));
    auto const before = free_blocks();
    auto const again = file("b");
    ASSERT_GT(append(again, 0, 100 * block_bytes), 0u);
    ASSERT_GT(append(again, 100 * block_bytes, 100 * block_bytes), 0u);
    ASSERT_TRUE(writer().remove({ root_inode, "b" }, Removal::file));
    EXPECT_EQ(free_blocks(), before);
    unmount();
}

// Goal: on a full volume a file can be written and punched where it has its blocks, though its map
// has to be split for that again and again.
TEST_F(AllocationTest, AFullVolumeKeepsBlocksForMaps)
{
    start("24M", "-m 0");
    auto const kept = file("kept");
    constexpr u64 kept_blocks = 4096;
    ASSERT_TRUE(writer().allocate(kept, 0, kept_blocks * block_bytes, Allocation::grow));
    auto const other = file("other");
    for (u64 offset = 0; append(other, offset, 64 * block_bytes) != 0;)
        offset += 64 * block_bytes;
    ASSERT_TRUE(writer().sync());
    EXPECT_EQ(written_->volume().statistics().available_blocks, 0u);
    for (u64 block = 0; block < kept_blocks; block += 2)
        ASSERT_EQ(append(kept, block * block_bytes, block_bytes), block_bytes) << block;
    for (u64 block = 0; block < kept_blocks; block += 64) {
        ASSERT_TRUE(writer().allocate(kept, block * block_bytes, block_bytes, Allocation::punch))
            << block;
    }
    EXPECT_EQ(append(file("third"), 0, block_bytes), 0u);
    ASSERT_TRUE(writer().unmount());
    written_.reset();
    // That nodes could be fuller is said of every map that was punched.
    run("e2fsck -fn -E no_optimize_extents " + quoted(image_));
}

} // namespace gemel::ext4::test
