// How many names and sub-directories can be counted, and what happens at the last of them.
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u16 folder_mode = 040755;

class Links : public testing::Test {
protected:
    // Directories that take no block, so that many of them are cheap.
    void make(std::string const& options)
    {
        make_empty_image(image_, "-b 1024 -N 66000 -J size=4 -O inline_data" + options, "64M");
        written_.emplace(image_);
        folder_ = create("folder");
    }
    VolumeWriter& writer() { return written_->writer(); }
    u32 create(std::string const& name)
    {
        return writer().create({ root_inode, name }, { .mode = folder_mode }).value();
    }
    Result<u32> add(u32 index)
    {
        auto const name = std::to_string(index);
        return writer().create({ folder_, name }, { .mode = folder_mode });
    }
    u32 links() { return written_->volume().inode(folder_)->links; }
    void fill()
    {
        for (u32 index = 0; index < countable; ++index)
            ASSERT_TRUE(add(index)) << index;
        EXPECT_EQ(links(), links_max);
    }

    static constexpr u32 countable = links_max - 2; // sub-directories: "." and the name count, too
    TemporaryFolder temporary_;
    fs::path image_ = temporary_.path() / "image";
    std::optional<WrittenVolume> written_;
    u32 folder_ = 0;
};

// Goal: a directory of more sub-directories than can be counted counts 1, and keeps it.
TEST_F(Links, MoreDirectoriesThanCanBeCounted)
{
    make("");
    fill();
    for (u32 index = countable; index < countable + 20; ++index) {
        ASSERT_TRUE(add(index)) << index;
        EXPECT_EQ(links(), 1u);
    }
    ASSERT_TRUE(writer().unmount());
    expect_clean(image_);
    written_.emplace(image_);
    for (u32 index = countable; index < countable + 19; ++index) {
        auto const name = std::to_string(index);
        ASSERT_TRUE(writer().remove({ folder_, name }, Removal::directory)) << index;
        EXPECT_EQ(links(), 1u);
    }
    ASSERT_TRUE(writer().unmount());
    expect_clean(image_);
}

// Goal: without dir_nlink the next one is refused, by a rename too, and nothing has changed.
TEST_F(Links, DirectoriesThatMustBeCounted)
{
    make(",^dir_nlink");
    fill();
    EXPECT_EQ(add(countable).error(), Error::too_many_links);
    static_cast<void>(create("elsewhere"));
    EXPECT_EQ(writer()
                  .rename({ root_inode, "elsewhere" }, { folder_, "here" }, RenameWay::replace)
                  .error(),
        Error::too_many_links);
    EXPECT_TRUE(writer().create({ folder_, "file" }, { .mode = 0100644 }));
    EXPECT_EQ(links(), links_max);
    ASSERT_TRUE(writer().remove({ folder_, "0" }, Removal::directory));
    ASSERT_TRUE(
        writer().rename({ root_inode, "elsewhere" }, { folder_, "here" }, RenameWay::replace));
    EXPECT_EQ(links(), links_max);
    ASSERT_TRUE(writer().unmount());
    expect_clean(image_);
}

// Goal: a file has 65,000 names and no more.
TEST_F(Links, NamesOfAFile)
{
    make("");
    auto const file = writer().create({ folder_, "0" }, { .mode = 0100644 }).value();
    for (u32 index = 1; index < links_max; ++index) {
        auto const name = std::to_string(index);
        ASSERT_TRUE(writer().link(file, { folder_, name })) << index;
    }
    EXPECT_EQ(writer().link(file, { folder_, "more" }).error(), Error::too_many_links);
    EXPECT_EQ(written_->volume().inode(file)->links, links_max);
    ASSERT_TRUE(writer().remove({ folder_, "7" }, Removal::file));
    EXPECT_TRUE(writer().link(file, { folder_, "more" }));
    ASSERT_TRUE(writer().unmount());
    expect_clean(image_);
}

} // namespace

} // namespace gemel::ext4::test
