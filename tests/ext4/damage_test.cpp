// Damage of every kind: the error names inode and block, nothing else is lost.
#include "tests/ext4/comparison.hpp"
#include "tests/ext4/source_tree.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u32 block_bytes = 1024;

std::string word(std::string const& name, u64 number)
{
    return name + " " + std::to_string(number);
}

// An image with one file of each kind, damaged anew by each test.
class Damage : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override
    {
        auto const source = folder_.path() / "source";
        fs::create_directory(source);
        TreeOptions options { .files = 10, .folders_deep = 3, .entries_in_large_folder = 6000 };
        fill_tree(source, options, test_seed());
        fs::create_directory(source / "folder");
        for (int each = 0; each < 5; ++each)
            write_host_file(source / "folder" / std::to_string(each), std::vector<u8>(3000, 5));
        make_image(image(), source, "-b 1024 " + GetParam(), "32M");
        index_directories(image());
        Mounted mounted(image());
        remember_files(mounted);
    }

    Debugfs judge() const { return Debugfs(image()); }
    fs::path image() const { return folder_.path() / "image"; }
    bool summed() const { return GetParam().find("^metadata_csum") == std::string::npos; }
    void spoil_block(u64 block, u64 offset) { spoil(image(), block * block_bytes + offset); }
    void put(u64 block, u64 offset, std::vector<u8> const& bytes)
    {
        overwrite(image(), block * block_bytes + offset, bytes);
    }

    // All files of the root directory still read, but for those excepted.
    void expect_rest_reads(Mounted& mounted, std::vector<u32> const& except)
    {
        for (auto const& [number, contents] : files_) {
            if (std::find(except.begin(), except.end(), number) != except.end())
                continue;
            auto const inode = mounted.volume->inode(number);
            ASSERT_TRUE(inode) << number;
            EXPECT_TRUE(read_all(*mounted.volume, *inode) == contents) << number;
        }
    }
    Error read_error(Mounted& mounted, u32 number)
    {
        auto const inode = mounted.volume->inode(number);
        if (!inode)
            return inode.error();
        std::vector<u8> buffer(inode->size_bytes);
        auto const done = mounted.volume->read(*inode, 0, buffer);
        return done ? Error::exists : done.error();
    }

private:
    void remember_files(Mounted& mounted)
    {
        auto& volume = *mounted.volume;
        for (auto const& entry : list_all(volume, *volume.inode(root_inode), 100)) {
            auto const inode = *volume.inode(entry.inode);
            if (inode.type() == FileType::regular)
                files_[entry.inode] = read_all(volume, inode);
        }
        ASSERT_GT(files_.size(), 10u);
    }

    TemporaryFolder folder_;
    std::map<u32, std::vector<u8>> files_;
};

TEST_P(Damage, Inode)
{
    auto const victim = judge().inode_of("hard");
    auto const offset = judge().inode_offset(victim, block_bytes);
    // The extra size is impossible with and without a checksum.
    u8 const bytes[] { 0xFF, 0xFF };
    overwrite(image(), offset + 0x80, bytes);
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    EXPECT_EQ(mounted.volume->inode(victim).error(), Error::corrupt);
    EXPECT_TRUE(
        mounted.errors.mention({ word("inode", victim), word("block", offset / block_bytes) }));
    expect_rest_reads(mounted, { victim });
}

TEST_P(Damage, InodeByteUnderChecksum)
{
    if (!summed())
        GTEST_SKIP() << "nothing to notice it by";
    auto const victim = judge().inode_of("hard");
    auto const offset = judge().inode_offset(victim, block_bytes);
    for (u64 const each : { 0x2, 0x10, 0x7C, 0x82, 0xF0 }) {
        spoil(image(), offset + each);
        Mounted mounted(image());
        ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
        EXPECT_EQ(mounted.volume->inode(victim).error(), Error::corrupt) << each;
        EXPECT_TRUE(mounted.errors.mention({ word("inode", victim), "checksum" })) << each;
        spoil(image(), offset + each);
    }
}

TEST_P(Damage, UnusedInode)
{
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const last = mounted.volume->super().inodes;
    EXPECT_EQ(mounted.volume->inode(last).error(), Error::corrupt);
    EXPECT_TRUE(mounted.errors.mention({ word("inode", last), "not in use" }));
    EXPECT_EQ(mounted.volume->inode(last + 1).error(), Error::corrupt);
    EXPECT_EQ(mounted.volume->inode(0).error(), Error::corrupt);
}

TEST_P(Damage, ExtentNode)
{
    auto const victim = judge().inode_of("fragmented");
    auto const nodes = judge().stat({ victim }).at(victim).extent_nodes;
    if (nodes.empty())
        GTEST_SKIP() << "no extents";
    spoil_block(nodes.back(), 0);
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    EXPECT_EQ(read_error(mounted, victim), Error::corrupt);
    EXPECT_TRUE(mounted.errors.mention({ word("inode", victim), word("block", nodes.back()) }));
    expect_rest_reads(mounted, { victim });
}

// Goal: a tree that leads back to itself ends. Method: a node whose child is the node.
TEST_P(Damage, ExtentTreeInACircle)
{
    auto const victim = judge().inode_of("fragmented");
    auto const nodes = judge().stat({ victim }).at(victim).extent_nodes;
    if (nodes.empty() || summed())
        GTEST_SKIP() << "no extents, or the checksum sees it first";
    auto const node = nodes.front();
    put(node, 6, { 1, 0 }); // it says it has a level below it
    put(node, 12 + 4, { static_cast<u8>(node), static_cast<u8>(node >> 8), 0, 0, 0, 0 });
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    EXPECT_EQ(read_error(mounted, victim), Error::corrupt);
    EXPECT_TRUE(mounted.errors.mention({ word("inode", victim), "depth" }));
    expect_rest_reads(mounted, { victim });
}

TEST_P(Damage, ExtentOutsideTheVolume)
{
    auto const victim = judge().inode_of("fragmented");
    auto const nodes = judge().stat({ victim }).at(victim).extent_nodes;
    if (nodes.empty() || summed())
        GTEST_SKIP() << "no extents, or the checksum sees it first";
    put(nodes.back(), 12 + 8, { 0xFF, 0xFF, 0xFF, 0x7F });
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    EXPECT_EQ(read_error(mounted, victim), Error::corrupt);
    EXPECT_TRUE(mounted.errors.mention({ word("inode", victim), "outside the volume" }));
}

TEST_P(Damage, BlockPointers)
{
    if (GetParam().find("^extent") == std::string::npos)
        GTEST_SKIP() << "has extents";
    auto const victim = judge().inode_of("fragmented");
    auto const offset = judge().inode_offset(victim, block_bytes);
    u8 const pointer[] { 0xFF, 0xFF, 0xFF, 0x7F };
    overwrite(image(), offset + 0x28 + 4 * 12, pointer);
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    EXPECT_EQ(read_error(mounted, victim), Error::corrupt);
    EXPECT_TRUE(
        mounted.errors.mention({ word("inode", victim), word("block", 0x7FFF'FFFF), "outside" }));
    expect_rest_reads(mounted, { victim });
}

TEST_P(Damage, DirectoryBlock)
{
    auto const victim = judge().inode_of("folder");
    auto const block = judge().blocks(victim).front();
    put(block, 4, { 2, 0 }); // an entry too short to be one
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const folder = *mounted.volume->inode(victim);
    EXPECT_EQ(mounted.volume->lookup(folder, "1").error(), Error::corrupt);
    EXPECT_TRUE(mounted.errors.mention({ word("inode", victim), word("block", block) }));
    auto cursor = *mounted.volume->list(folder, 0);
    EXPECT_EQ(cursor.next().error(), Error::corrupt);
    EXPECT_FALSE(cursor.next()->has_value()) << "the listing goes on behind the damage";
    expect_rest_reads(mounted, {});
}

TEST_P(Damage, HashTreeRoot)
{
    auto const victim = judge().inode_of("large");
    auto const block = judge().blocks(victim).front();
    put(block, 34, { 0xFF, 0xFF }); // more entries than it can hold
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const large = *mounted.volume->inode(victim);
    EXPECT_EQ(mounted.volume->lookup(large, "0").error(), Error::corrupt);
    EXPECT_TRUE(
        mounted.errors.mention({ word("inode", victim), word("block", block), "hash tree" }));
    // The names are all in other blocks.
    auto cursor = *mounted.volume->list(large, 0);
    EXPECT_EQ(cursor.next().error(), Error::corrupt);
    usize names = 0;
    while (cursor.next()->has_value())
        ++names;
    EXPECT_EQ(names, 6000u);
    expect_rest_reads(mounted, {});
}

// Goal: an index that leads back to its root ends. Method: every entry of the root points to it.
TEST_P(Damage, HashTreeInACircle)
{
    if (summed())
        GTEST_SKIP() << "the checksum sees it first";
    auto const victim = judge().inode_of("large");
    auto const block = judge().blocks(victim).front();
    for (u64 each = 0; each < 100; ++each)
        put(block, 32 + 8 * each + 4, { 0, 0, 0, 0 });
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const large = *mounted.volume->inode(victim);
    EXPECT_EQ(mounted.volume->lookup(large, "0").error(), Error::corrupt);
    EXPECT_TRUE(mounted.errors.mention({ word("inode", victim), word("block", block) }));
}

TEST_P(Damage, GroupDescriptor)
{
    // The second group's: the first holds what the test itself looks at.
    auto const wide = GetParam().find("^64bit") == std::string::npos;
    put(2, (wide ? 64 : 32) + 8, { 0xFF, 0xFF, 0xFF, 0xFF });
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const& super = mounted.volume->super();
    EXPECT_EQ(mounted.volume->inode(super.inodes_per_group + 1).error(), Error::corrupt);
    EXPECT_TRUE(mounted.errors.mention({ "group 1", "block 2" }));
    std::vector<u32> lost;
    for (u32 each = 1; each <= super.inodes_per_group; ++each)
        lost.push_back(super.inodes_per_group + each);
    expect_rest_reads(mounted, lost);
}

// Goal: whatever single byte of metadata is wrong, every call ends with a result or an error.
// Method: spoil random bytes in the blocks that a walk of the whole volume reads.
TEST_P(Damage, RandomBytes)
{
    std::mt19937_64 random(test_seed());
    auto const nodes = judge().blocks(judge().inode_of("large"));
    for (int round = 0; round < 60; ++round) {
        auto const block = round % 2 == 0 ? random() % 600 + 1 : nodes[random() % nodes.size()];
        auto const offset = block * block_bytes + random() % block_bytes;
        spoil(image(), offset);
        Mounted mounted(image());
        if (mounted.volume) {
            auto const root = mounted.volume->inode(root_inode);
            auto const large = mounted.volume->lookup(*root, "large");
            auto const inode = large ? mounted.volume->inode(large->inode) : large.error();
            auto cursor = inode ? mounted.volume->list(*inode, 0) : inode.error();
            for (int each = 0; cursor && each < 7000; ++each) {
                auto const entry = cursor->next();
                if (entry && !entry->has_value())
                    break;
            }
        } else {
            EXPECT_FALSE(mounted.report.refusal.empty());
        }
        spoil(image(), offset);
    }
}

INSTANTIATE_TEST_SUITE_P(Features, Damage,
    testing::Values("", "-O ^metadata_csum", "-O ^metadata_csum,^extent,^64bit"),
    [](auto const& each) {
        return std::string(std::array { "Defaults", "NoChecksum", "NoExtent" }[each.index]);
    });

} // namespace

} // namespace gemel::ext4::test
