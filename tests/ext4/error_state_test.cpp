// Damage that a mounted volume meets: the caller is told, the volume is read-only from then on, and
// the superblock says what was wrong, where and when.
#include "servers/ext4/check/repair.hpp"
#include "servers/ext4/recovery.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u16 regular = 0100644;

class ErrorState : public testing::Test {
protected:
    void SetUp() override
    {
        make_empty_image(image_, "-b 1024", "16M");
        WrittenVolume written(image_);
        auto& writer = written.writer();
        folder_inode_ = writer.create({ root_inode, "folder" }, { .mode = 040755 }).value();
        ASSERT_TRUE(writer.create({ folder_inode_, "inside" }, { .mode = regular }));
        file_ = writer.create({ root_inode, "file" }, { .mode = regular }).value();
        // So many extents that the map has a node of its own.
        for (u64 block = 0; block < 20; ++block)
            ASSERT_TRUE(writer.write(file_, block * 2048, std::vector<u8>(1024, 'x')));
        ASSERT_TRUE(writer.unmount());
        expect_clean(image_);
    }

    // What dumpe2fs shows of the superblock.
    std::string said() const { return run("dumpe2fs -h " + quoted(image_) + " 2>&1"); }
    std::string field(std::string const& name) const
    {
        auto const all = said();
        auto const start = all.find(name + ":");
        if (start == std::string::npos)
            return "";
        auto const text = all.find_first_not_of(' ', start + name.size() + 1);
        return all.substr(text, all.find('\n', text) - text);
    }
    u64 block_of(std::string const& command) const
    {
        auto const answer = Debugfs(image_).ask({ command }).at(0);
        return std::stoull(answer.substr(answer.find_first_of("0123456789")));
    }
    void expect_state(WrittenVolume& written, std::string const& function, u64 block, u32 inode)
    {
        auto& writer = written.writer();
        EXPECT_EQ(
            writer.create({ root_inode, "new" }, { .mode = regular }).error(), Error::read_only);
        EXPECT_TRUE(writer.failed());
        EXPECT_TRUE(written.volume().inode(root_inode)); // the rest can be read
        EXPECT_NE(field("Filesystem state").find("with errors"), std::string::npos) << said();
        EXPECT_EQ(field("FS Error count"), "1");
        for (std::string const each : { "First", "Last" }) {
            EXPECT_EQ(field(each + " error function"), function);
            EXPECT_EQ(field(each + " error block #"), block == 0 ? "" : std::to_string(block));
            EXPECT_EQ(field(each + " error inode #"), inode == 0 ? "" : std::to_string(inode));
            EXPECT_EQ(field(each + " error err"), "EFSCORRUPTED");
            EXPECT_NE(field(each + " error time").find("2023"), std::string::npos) << said();
        }
    }

    TemporaryFolder temporary_;
    fs::path image_ = temporary_.path() / "image";
    u32 folder_inode_ = 0;
    u32 file_ = 0;
};

// Goal: a bad checksum in a directory that is only looked into.
TEST_F(ErrorState, DirectoryThatIsRead)
{
    auto const block = Debugfs(image_).blocks(folder_inode_).at(0);
    spoil(image_, block * 1024 + 300);
    WrittenVolume written(image_);
    auto const kept = written.writer().create({ root_inode, "kept" }, { .mode = regular });
    ASSERT_TRUE(kept);
    auto const folder = *written.volume().inode(folder_inode_);
    EXPECT_EQ(written.volume().lookup(folder, "inside").error(), Error::corrupt);
    auto const due = written.writer().due_ns();
    ASSERT_TRUE(due);
    EXPECT_LE(*due, written.writer().now()); // at once, not at the next commit
    EXPECT_EQ(written.writer().attend().error(), Error::corrupt);
    expect_state(written, "directory block", block, folder_inode_);
    // What was done before is not lost, and a repair leaves nothing of the state.
    FileBlockDevice device(image_);
    MountReport report;
    auto const done = repair_volume(device, report, { .now_ns = [] { return i64 { 1 } << 60; } });
    ASSERT_TRUE(done) << report.refusal;
    EXPECT_TRUE(Debugfs(image_).inode_of("kept") == *kept);
}

// Goal: a bad bitmap that an allocation meets, which is when what was written gets its place: the
// sync says so, and the disk is told no size without its bytes. The first free block is looked for
// there.
TEST_F(ErrorState, BitmapThatIsChanged)
{
    auto const text = run("dumpe2fs " + quoted(image_) + " 2>&1 | grep -m 1 'Block bitmap at'");
    auto const block = std::stoull(text.substr(text.find("at ") + 3));
    spoil(image_, block * 1024 + 700);
    WrittenVolume written(image_);
    auto const size = written.volume().inode(file_)->size_bytes;
    ASSERT_TRUE(written.writer().write(file_, size + 1024, std::vector<u8>(1024, 'y')));
    EXPECT_EQ(written.writer().sync().error(), Error::corrupt);
    EXPECT_EQ(written.volume().inode(file_)->size_bytes, size + 2048); // as it was written
    expect_state(written, "block bitmap", block, 0);
    MountReport report;
    CollectedErrors errors;
    FileBlockDevice device(image_);
    ASSERT_TRUE(recover(device, errors, report)) << report.refusal;
    EXPECT_EQ(
        Mounted(image_).volume->inode(file_)->size_bytes, size + 1024); // up to the hole's end
}

// Goal: a bad node of a file's map.
TEST_F(ErrorState, ExtentsThatAreRead)
{
    auto const block = Debugfs(image_).stat({ file_ }).at(file_).extent_nodes.at(0);
    spoil(image_, block * 1024 + 20);
    WrittenVolume written(image_);
    std::vector<u8> bytes(1024);
    EXPECT_EQ(
        written.volume().read(*written.volume().inode(file_), 0, bytes).error(), Error::corrupt);
    expect_state(written, "extent node", block, file_);
}

// Goal: an inode with a bad checksum.
TEST_F(ErrorState, InodeThatIsRead)
{
    auto const place = Debugfs(image_).inode_offset(file_, 1024);
    spoil(image_, place + 0x18);
    WrittenVolume written(image_);
    EXPECT_EQ(written.volume().inode(file_).error(), Error::corrupt);
    expect_state(written, "inode table", place / 1024, file_);
}

// Goal: errors are counted, the first is kept, the last is the last.
TEST_F(ErrorState, FirstAndLast)
{
    spoil(image_, Debugfs(image_).blocks(folder_inode_).at(0) * 1024 + 300);
    auto const pristine = Debugfs(image_).inode_offset(file_, 1024);
    {
        WrittenVolume written(image_);
        EXPECT_EQ(written.writer().create({ folder_inode_, "x" }, { .mode = regular }).error(),
            Error::corrupt);
    }
    run("tune2fs -E force_fsck " + quoted(image_) + " >/dev/null; debugfs -w -R 'ssv state 1' "
        + quoted(image_));
    spoil(image_, pristine + 0x18);
    {
        MountReport report;
        CollectedErrors errors;
        FileBlockDevice device(image_);
        ASSERT_TRUE(recover(device, errors, report)) << report.refusal; // sets the state again
    }
    run("debugfs -w -R 'ssv state 1' " + quoted(image_));
    WrittenVolume written(image_);
    EXPECT_EQ(written.writer().set_attributes(file_, { .user = 7u }).error(), Error::corrupt);
    EXPECT_EQ(field("FS Error count"), "2");
    EXPECT_EQ(field("First error function"), "directory block");
    EXPECT_EQ(field("Last error function"), "inode table");
}

} // namespace

} // namespace gemel::ext4::test
