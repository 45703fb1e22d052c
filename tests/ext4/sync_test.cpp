// What a sync costs the device, in counts, and which times a change leaves.
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr usize block_bytes = 4096;
constexpr i64 start_ns = 1'700'000'000'000'000'000;

class SyncTest : public testing::Test {
protected:
    void SetUp() override
    {
        make_empty_image(image_, "-b 4096", "24M");
        device_ = std::make_unique<FileBlockDevice>(image_);
        mount();
        file_ = writer().create({ root_inode, "file" }, { .mode = 0100644 }).value();
        ASSERT_TRUE(writer().write(file_, 0, std::vector<u8>(8 * block_bytes, 'a')));
        ASSERT_TRUE(writer().sync());
        now_ns_ += ChangeClock::tick_ns;
        overwrite(0, 'b');
        ASSERT_TRUE(writer().sync());
        device_->writes = device_->flushes = 0;
    }

    void mount()
    {
        MountReport report;
        auto mounted = Volume::mount_writable(
            *device_, errors_, report, { .now_ns = [this] { return now_ns_; } });
        ASSERT_TRUE(mounted);
        volume_ = std::make_unique<Volume>(std::move(*mounted));
        ASSERT_NE(volume_->writer(), nullptr);
    }

    // What the last commits left, after a power cut.
    void cut_power()
    {
        volume_.reset();
        mount();
    }

    void overwrite(u64 block, u8 value)
    {
        std::vector<u8> const bytes(block_bytes, value);
        ASSERT_TRUE(writer().write(file_, block * block_bytes, bytes));
    }

    u8 byte_at(u64 block)
    {
        std::vector<u8> bytes(1);
        EXPECT_TRUE(volume_->read(inode(), block * block_bytes, bytes));
        return bytes[0];
    }

    void expect_cost(u64 writes, u64 flushes)
    {
        EXPECT_EQ(device_->writes, writes);
        EXPECT_EQ(device_->flushes, flushes);
        device_->writes = device_->flushes = 0;
    }

    void unmount()
    {
        ASSERT_TRUE(writer().unmount());
        expect_clean(image_);
        EXPECT_TRUE(errors_.sentences.empty());
    }

    VolumeWriter& writer() { return *volume_->writer(); }
    Inode inode() { return volume_->inode(file_, InodeUse::any).value(); }

    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
    std::unique_ptr<FileBlockDevice> device_;
    CollectedErrors errors_;
    i64 now_ns_ = start_ns;
    std::unique_ptr<Volume> volume_;
    u32 file_ = 0;
};

// The contents, and one flush: no commit.
constexpr u64 contents_writes = 1;
constexpr u64 contents_flushes = 1;
// The contents, the log with its descriptor and one block of inodes, the commit block.
constexpr u64 commit_writes = 3;
constexpr u64 commit_flushes = 2;

} // namespace

// Goal: writing again within a tick and syncing costs one write and one flush, and a commit is
// made once a tick.
TEST_F(SyncTest, WithinATickContentsAlone)
{
    for (u64 block = 0; block < 8; ++block) {
        now_ns_ += ChangeClock::tick_ns / 10;
        overwrite(block, 'c');
        ASSERT_TRUE(writer().sync());
        expect_cost(contents_writes, contents_flushes);
    }
    now_ns_ += ChangeClock::tick_ns;
    overwrite(1, 'd');
    ASSERT_TRUE(writer().sync());
    expect_cost(commit_writes, commit_flushes);
    cut_power();
    EXPECT_EQ(byte_at(1), 'd');
    EXPECT_EQ(byte_at(7), 'c');
    EXPECT_EQ(inode().modified, timestamp_of(now_ns_));
    unmount();
}

// Goal: a sync of contents leaves times to a later commit, which is still due.
TEST_F(SyncTest, OfContentsLeavesTimes)
{
    now_ns_ += ChangeClock::tick_ns;
    auto const before = inode().modified;
    overwrite(2, 'e');
    ASSERT_TRUE(writer().sync(Durable::contents));
    expect_cost(contents_writes, contents_flushes);
    EXPECT_EQ(inode().modified, timestamp_of(now_ns_));
    EXPECT_TRUE(writer().due_ns());
    cut_power();
    EXPECT_EQ(byte_at(2), 'e');
    EXPECT_EQ(inode().modified, before);
    now_ns_ += ChangeClock::tick_ns;
    overwrite(2, 'f');
    ASSERT_TRUE(writer().sync(Durable::contents));
    now_ns_ += commit_interval_ns;
    ASSERT_TRUE(writer().attend());
    auto const after = inode().modified;
    cut_power();
    EXPECT_EQ(inode().modified, after);
    unmount();
}

// Goal: what is needed to find contents is committed by a sync of contents: a size, a new block, a
// name, also when times alone changed after it.
TEST_F(SyncTest, OfContentsCommitsWhatLeadsToThem)
{
    now_ns_ += ChangeClock::tick_ns;
    ASSERT_TRUE(writer().write(file_, 8 * block_bytes, std::vector<u8>(10, 'g'))); // a new block
    overwrite(3, 'g');
    ASSERT_TRUE(writer().sync(Durable::contents));
    EXPECT_EQ(device_->flushes, commit_flushes);
    cut_power();
    EXPECT_EQ(byte_at(8), 'g');
    device_->flushes = 0;
    std::vector<u8> const more(20, 'h'); // within a block that the file has, behind its end
    ASSERT_TRUE(writer().write(file_, 8 * block_bytes, more));
    ASSERT_TRUE(writer().sync(Durable::contents));
    EXPECT_EQ(device_->flushes, commit_flushes);
    cut_power();
    EXPECT_EQ(inode().size_bytes, 8 * block_bytes + 20);
    ASSERT_TRUE(writer().create({ root_inode, "other" }, { .mode = 0100644 }));
    overwrite(3, 'i');
    ASSERT_TRUE(writer().sync(Durable::contents));
    cut_power();
    EXPECT_TRUE(volume_->lookup(*volume_->inode(root_inode), "other"));
    unmount();
}

// Goal: who looks at a file between two changes sees two times, however short the time between.
TEST_F(SyncTest, ATimeThatWasSeenIsNotGivenAgain)
{
    now_ns_ += ChangeClock::tick_ns;
    overwrite(0, 'j');
    auto const first = inode();
    now_ns_ += 1'000;
    overwrite(0, 'k');
    EXPECT_EQ(inode().modified, first.modified);
    writer().note_seen(inode());
    overwrite(0, 'l');
    EXPECT_EQ(inode().modified, timestamp_of(now_ns_));
    EXPECT_EQ(inode().changed, timestamp_of(now_ns_));
    now_ns_ += 1'000;
    writer().note_seen(first); // an old time: nothing new was seen
    overwrite(0, 'm');
    EXPECT_EQ(inode().modified, timestamp_of(now_ns_ - 1'000));
    now_ns_ -= 60'000'000'000; // the clock was set back
    overwrite(0, 'n');
    EXPECT_EQ(inode().modified, timestamp_of(now_ns_));
    unmount();
}

} // namespace gemel::ext4::test
