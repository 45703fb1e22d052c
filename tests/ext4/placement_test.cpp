// Where directories, files and their blocks go, by the group of each.
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>
#include <set>

namespace gemel::ext4::test {

namespace {

constexpr u16 directory_mode = 040755;
constexpr u16 file_mode = 0100644;

// An empty image, 64 MiB in 8 groups of 8 MiB.
class PlacementTest : public testing::Test {
protected:
    void start(std::string const& options)
    {
        make_empty_image(image_, "-b 1024 -N 16384 " + options, "64M");
        written_.emplace(image_);
        ASSERT_EQ(super().groups, 8u);
    }
    void TearDown() override
    {
        ASSERT_TRUE(writer().unmount());
        EXPECT_TRUE(written_->errors().sentences.empty());
        written_.reset();
        expect_clean(image_);
    }
    VolumeWriter& writer() { return written_->writer(); }
    Superblock const& super() { return written_->volume().super(); }
    u32 make(u32 parent, std::string const& name, u16 mode)
    {
        return writer().create({ parent, name }, { .mode = mode }).value();
    }
    u32 directory(u32 parent, u32 number)
    {
        return make(parent, "d" + std::to_string(number), directory_mode);
    }
    u32 file(u32 parent, u32 number)
    {
        return make(parent, "f" + std::to_string(number), file_mode);
    }
    u32 group_of(u32 inode) { return (inode - 1) / super().inodes_per_group; }
    u32 unit_of(u32 inode) { return group_of(inode) / super().groups_per_flex; }

    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
    std::optional<WrittenVolume> written_;
};

} // namespace

// Goal: directories at the top are spread over all groups, by turns.
TEST_F(PlacementTest, TheTopIsSpread)
{
    start("-O ^flex_bg,^has_journal");
    std::map<u32, u32> groups;
    for (u32 each = 0; each < 22; ++each)
        ++groups[group_of(directory(root_inode, each))];
    EXPECT_EQ(groups.size(), 8u);
    for (auto const& [group, count] : groups)
        EXPECT_EQ(count, group == 0 ? 1u : 3u) << group; // the root and lost+found are in the first
}

// Goal: with flexible groups it is those that are taken by turns, each from its first table on.
TEST_F(PlacementTest, FlexibleGroupsAreOne)
{
    start("-G 4 -O ^has_journal");
    ASSERT_EQ(super().groups_per_flex, 4u);
    std::map<u32, u32> units;
    for (u32 each = 0; each < 6; ++each) {
        auto const made = directory(root_inode, each);
        EXPECT_EQ(group_of(made) % 4, 0u);
        ++units[unit_of(made)];
    }
    EXPECT_EQ(units, (std::map<u32, u32> { { 0, 2 }, { 1, 4 } }));
}

// Goal: directories below stay in their parent's group, and files with their directory.
TEST_F(PlacementTest, TheRestStaysTogether)
{
    start("-O ^flex_bg,^has_journal");
    std::set<u32> tops;
    for (u32 top = 0; top < 4; ++top) {
        auto const parent = directory(root_inode, top);
        tops.insert(group_of(parent));
        auto below = parent;
        for (u32 each = 0; each < 20; ++each) {
            below = directory(below, each);
            EXPECT_EQ(group_of(below), group_of(parent));
            EXPECT_EQ(group_of(file(below, each)), group_of(parent));
        }
    }
    EXPECT_EQ(tops.size(), 4u);
}

// Goal: a group that got many directories and no files is in debt, and the next one takes over;
// files pay.
TEST_F(PlacementTest, DebtsArePaidWithFiles)
{
    start("-O ^flex_bg,^has_journal");
    auto const parent = directory(root_inode, 0);
    u32 stayed = 0;
    while (group_of(directory(parent, stayed)) == group_of(parent))
        ++stayed;
    EXPECT_EQ(stayed, 31u); // 32 of 2,048 inodes: 64 for each directory, with the parent itself
    for (u32 each = 0; each < 5; ++each)
        EXPECT_EQ(group_of(file(parent, each)), group_of(parent));
    u32 more = 0;
    while (group_of(directory(parent, 100 + more)) == group_of(parent))
        ++more;
    EXPECT_EQ(more, 5u);
}

// Goal: chattr +T makes a directory's own directories the top of something.
TEST_F(PlacementTest, ATopDirectorySpreads)
{
    make_empty_image(image_, "-b 1024 -N 16384 -O ^flex_bg,^has_journal", "64M");
    Debugfs(image_).change({ "mkdir top", "set_inode_field top flags 0xa0000" });
    written_.emplace(image_);
    std::set<u32> groups;
    for (u32 each = 0; each < 8; ++each)
        groups.insert(group_of(directory(written_->number("top"), each)));
    EXPECT_GE(groups.size(), 7u);
}

// Goal: inodes are found to the last one, wherever they are, for files and for directories.
TEST_F(PlacementTest, TheLastInodeIsFound)
{
    make_empty_image(image_, "-b 1024 -N 128 -O ^flex_bg", "64M");
    written_.emplace(image_);
    auto const free = written_->volume().statistics().free_inodes;
    ASSERT_EQ(super().groups, 8u);
    for (u32 each = 0; each < free; ++each) {
        if (each % 2 == 0)
            file(root_inode, each);
        else
            directory(root_inode, each);
    }
    EXPECT_EQ(written_->volume().statistics().free_inodes, 0u);
    EXPECT_EQ(writer().create({ root_inode, "x" }, { .mode = file_mode }).error(), Error::no_space);
    EXPECT_EQ(
        writer().create({ root_inode, "x" }, { .mode = directory_mode }).error(), Error::no_space);
}

} // namespace gemel::ext4::test
