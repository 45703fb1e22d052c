// Directories as others leave them: names removed before the first that is left.
#include "tests/ext4/comparison.hpp"
#include "tests/ext4/written_volume.hpp"

#include <fstream>
#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u32 block_bytes = 1024;

class ForeignDirectory : public testing::Test {
protected:
    // A directory of one block, full but for a few bytes, whose first name debugfs has removed: its
    // entry is left as it was, inside what ".." reaches over.
    void SetUp() override
    {
        make_empty_image(image_, "-b 1024 -O ^metadata_csum", "8M");
        {
            WrittenVolume written(image_);
            folder_ = written.writer().create({ root_inode, "folder" }, { .mode = 040755 }).value();
            make(written, "ghost");
            while (written.volume().inode(folder_)->size_bytes == block_bytes && names_ < 60)
                make(written, "name" + std::to_string(names_++));
            ASSERT_TRUE(written.writer().unmount());
        }
        Debugfs(image_).change({ "rm folder/ghost" });
        expect_clean(image_);
    }
    void make(WrittenVolume& written, std::string const& name)
    {
        ASSERT_TRUE(written.writer().create({ folder_, name }, { .mode = 0100644 })) << name;
    }
    // The Linux kernel wipes what it removes.
    void wipe_ghost()
    {
        auto const place = static_cast<std::streamoff>(
            Debugfs(image_).blocks(folder_).front() * block_bytes + 24);
        std::fstream image(image_, std::ios::in | std::ios::out | std::ios::binary);
        image.seekp(place);
        image.write(std::string(16, '\0').data(), 16);
    }
    // One more name than the block has room for.
    void grow_and_look()
    {
        {
            WrittenVolume written(image_);
            make(written, std::string(200, 'x'));
            EXPECT_TRUE(written.volume().inode(folder_)->has(InodeFlag::indexed));
            EXPECT_FALSE(written.volume().lookup(*written.volume().inode(folder_), "ghost"));
            ASSERT_TRUE(written.writer().unmount());
        }
        expect_clean(image_);
        WrittenVolume written(image_);
        auto const folder = *written.volume().inode(folder_);
        EXPECT_EQ(list_all(written.volume(), folder, 100).size(), 2u + names_ + 1);
        EXPECT_EQ(list_all(written.volume(), folder, 100)[1].inode, u32 { root_inode });
    }

    TemporaryFolder temporary_;
    fs::path image_ = temporary_.path() / "image";
    u32 folder_ = 0;
    u32 names_ = 0;
};

} // namespace

// Goal: what was removed before the first name stays removed when the directory gets its hash tree.
TEST_F(ForeignDirectory, RemovedNamesStayRemoved)
{
    grow_and_look();
}

// Goal: the same where nothing is left of the entry, not even its length.
TEST_F(ForeignDirectory, WipedNamesAreNoChain)
{
    wipe_ghost();
    expect_clean(image_);
    grow_and_look();
}

} // namespace gemel::ext4::test
