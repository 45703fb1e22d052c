// What no plain folder holds: deep maps, unwritten extents, far dates, large numbers, collisions.
#include "tests/ext4/comparison.hpp"
#include "tests/ext4/source_tree.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

class Special : public testing::Test {
protected:
    Special() { fs::create_directory(source()); }

    fs::path source() const { return folder_.path() / "source"; }
    fs::path image() const { return folder_.path() / "image"; }
    // Data at each of the offsets, holes elsewhere.
    void make_sparse(std::string const& name, std::vector<u64> const& offsets, usize bytes)
    {
        write_host_file(source() / name, {});
        for (auto const offset : offsets) {
            std::vector<u8> data(bytes);
            for (usize each = 0; each < bytes; ++each)
                data[each] = static_cast<u8>(random_());
            overwrite(source() / name, offset, data);
        }
    }
    void make(std::string const& options, std::string const& size)
    {
        make_image(image(), source(), options, size);
    }

private:
    TemporaryFolder folder_;
    std::mt19937_64 random_ { test_seed() };
};

std::vector<u8> read_named(Mounted& mounted, std::string const& name)
{
    auto const root = *mounted.volume->inode(root_inode);
    auto const found = mounted.volume->lookup(root, name);
    return read_all(*mounted.volume, *mounted.volume->inode(found->inode));
}

Inode inode_named(Mounted& mounted, std::string const& name)
{
    auto const root = *mounted.volume->inode(root_inode);
    return *mounted.volume->inode(mounted.volume->lookup(root, name)->inode);
}

// Goal: extent trees of three levels read right. Method: a file of 15,000 one-block extents in
// 1 KiB blocks, where a node holds 84 and the root 4.
TEST_F(Special, DeepExtentTree)
{
    std::vector<u64> offsets;
    for (u64 each = 0; each < 15000; ++each)
        offsets.push_back(each * 2048);
    make_sparse("deep", offsets, 1024);
    make("-b 1024", "64M");
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const inode = inode_named(mounted, "deep");
    EXPECT_GE(load16(inode.map, 6), 2) << "the tree is not deep enough to be worth a test";
    EXPECT_TRUE(read_named(mounted, "deep") == read_host_file(source() / "deep"));
}

// Goal: all three levels of block pointers, and holes at each, read right.
// Method: data on both sides of every border of the map, in 1 KiB blocks without extents.
TEST_F(Special, TripleIndirectBlocks)
{
    constexpr u64 block = 1024;
    constexpr u64 single = 12 * block;
    constexpr u64 twice = single + 256 * block;
    constexpr u64 triple = twice + 256 * 256 * block;
    make_sparse("wide",
        { 0, single - block, twice - block, twice + 300 * block, triple - block,
            triple + 70000 * block, triple + 200000 * block },
        2 * block);
    make("-b 1024 -O ^extent,^64bit", "32M");
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    EXPECT_TRUE(read_named(mounted, "wide") == read_host_file(source() / "wide"));
}

// Goal: extents that were reserved and never written read as zeros, not as what lies there.
// Method: a written file beside one that debugfs reserves blocks in, before and behind its data.
TEST_F(Special, UnwrittenExtentsAreZeros)
{
    write_host_file(source() / "part", std::vector<u8>(10 * 4096, 0xAB));
    make("-b 4096", "32M");
    Debugfs const judge(image());
    judge.change({ "punch part 2 7", "fallocate part 3 5", "fallocate part 20 30" });
    judge.change({ "sif part size " + std::to_string(40 * 4096) });
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    std::vector<u8> expected(40 * 4096);
    std::fill_n(expected.begin(), 2 * 4096, u8 { 0xAB });
    std::fill_n(expected.begin() + 8 * 4096, 2 * 4096, u8 { 0xAB });
    EXPECT_TRUE(read_named(mounted, "part") == expected);
}

// Goal: times before 1970 and after 2038, owners and lengths beyond 16 and 32 bits are decoded.
// Method: set the fields with debugfs; its own decoding is the judge.
TEST_F(Special, FarDatesAndLargeNumbers)
{
    write_host_file(source() / "far", std::vector<u8>(100, 1));
    make("-b 4096", "32M");
    Debugfs const judge(image());
    judge.change({ "sif far mtime @-1000", "sif far atime @4294967296",
        "sif far crtime @15000000000", "sif far uid 70000", "sif far gid 4000000000",
        "sif far size 5000000000", "sif far generation 3735928559" });
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const inode = inode_named(mounted, "far");
    EXPECT_EQ(inode.modified.seconds, -1000);
    EXPECT_EQ(inode.accessed.seconds, 4294967296);
    ASSERT_TRUE(inode.created);
    EXPECT_EQ(inode.created->seconds, 15000000000);
    EXPECT_EQ(inode.user, 70000u);
    EXPECT_EQ(inode.group, 4000000000u);
    EXPECT_EQ(inode.size_bytes, 5000000000u);
    EXPECT_EQ(inode.generation, 3735928559u);
    std::vector<u8> buffer(200, 9);
    auto const count = mounted.volume->read(inode, 4999999900, buffer);
    ASSERT_TRUE(count);
    EXPECT_EQ(*count, 100u);
    EXPECT_EQ(buffer[99], 0);
}

// Goal: a hole that ends a file reads as zeros.
TEST_F(Special, HoleAtTheEnd)
{
    write_host_file(source() / "tail", std::vector<u8>(5000, 7));
    fs::resize_file(source() / "tail", 3'000'000);
    make("", "32M");
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    EXPECT_TRUE(read_named(mounted, "tail") == read_host_file(source() / "tail"));
}

// Goal: devices, pipes and their numbers are seen as such and have no contents.
TEST_F(Special, SpecialFiles)
{
    make("", "16M");
    Debugfs(image()).change({ "mknod terminal c 5 1", "mknod disk b 259 3000", "mknod pipe p" });
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const terminal = inode_named(mounted, "terminal");
    EXPECT_EQ(terminal.type(), FileType::character_device);
    EXPECT_EQ(terminal.device().major, 5u);
    EXPECT_EQ(terminal.device().minor, 1u);
    auto const disk = inode_named(mounted, "disk");
    EXPECT_EQ(disk.type(), FileType::block_device);
    EXPECT_EQ(disk.device().major, 259u);
    EXPECT_EQ(disk.device().minor, 3000u);
    EXPECT_EQ(inode_named(mounted, "pipe").type(), FileType::fifo);
    std::vector<u8> buffer(10);
    EXPECT_EQ(mounted.volume->read(terminal, 0, buffer).error(), Error::invalid);
}

class LargeFolder : public Special {
protected:
    void make_large(std::string const& options)
    {
        TreeOptions tree { .files = 0, .folders_deep = 0, .entries_in_large_folder = 6000 };
        fill_tree(source(), tree, test_seed());
        make(options, "32M");
        index_directories(image());
    }
    void expect_all_found()
    {
        Mounted mounted(image());
        ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
        auto const large = inode_named(mounted, "large");
        for (auto const& entry : fs::directory_iterator(source() / "large")) {
            auto const name = entry.path().filename().string();
            EXPECT_TRUE(mounted.volume->lookup(large, name)) << name;
        }
    }
    u64 root_block() const
    {
        Debugfs const judge(image());
        return judge.blocks(judge.inode_of("large")).front();
    }
};

// Goal: the large folder of these tests really has a tree of two levels.
TEST_F(LargeFolder, HasInnerNodes)
{
    make_large("-b 1024");
    auto const root = read_host_file(image());
    EXPECT_EQ(root[root_block() * 1024 + 30], 1) << "levels of inner nodes";
    expect_all_found();
}

// Goal: names whose hash is split over two blocks are found.
// Method: mark every block of the index as continued from the one before. Its first name is then
// looked for in the block before, and found only by going on.
TEST_F(LargeFolder, NamesContinueInTheNextBlock)
{
    make_large("-b 4096 -O ^metadata_csum");
    auto const bytes = read_host_file(image());
    auto const root = root_block() * 4096;
    ASSERT_EQ(bytes[root + 30], 0) << "one level, so that the root holds all hashes";
    auto const count = load16(bytes, root + 34);
    ASSERT_GT(count, 20);
    for (u64 each = 1; each < count; ++each) {
        u8 const marked = bytes[root + 32 + 8 * each] | 1;
        overwrite(image(), root + 32 + 8 * each, { &marked, 1 });
    }
    expect_all_found();
}

// Goal: a lookup reads the way down, not the folder. Method: count device reads of one cold lookup.
TEST_F(LargeFolder, LookupReadsOnlyTheWayDown)
{
    make_large("-b 1024");
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const large = inode_named(mounted, "large");
    auto const before = mounted.device.reads;
    EXPECT_FALSE(mounted.volume->lookup(large, "no such name"));
    EXPECT_LE(mounted.device.reads - before, 6u) << "root, node, leaf and the extent tree's way";
}

// Goal: a warm walk costs no device reads. Method: walk the same path twice.
TEST_F(LargeFolder, WarmLookupsStayInTheCache)
{
    make_large("-b 1024");
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const root = *mounted.volume->inode(root_inode);
    auto const walk = [&] { return mounted.volume->walk(root, "large/0").has_value(); };
    ASSERT_TRUE(walk());
    auto const cold = mounted.device.reads;
    ASSERT_TRUE(walk());
    EXPECT_EQ(mounted.device.reads, cold);
}

// Goal: any number is a safe cookie. Method: list from every byte position, and from far beyond.
TEST_F(LargeFolder, AnyCookieIsSafe)
{
    for (std::string const options : { "-b 1024", "-b 1024 -O inline_data" }) {
        fs::create_directories(source() / "small/folder");
        make(options, "16M");
        Mounted mounted(image());
        ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
        auto const small = inode_named(mounted, "small");
        for (u64 cookie = 0; cookie < 1100; ++cookie) {
            auto cursor = mounted.volume->list(small, cookie);
            for (int each = 0; each < 3; ++each)
                ASSERT_TRUE(cursor->next()) << cookie;
            EXPECT_FALSE(*cursor->next()) << cookie;
        }
        EXPECT_FALSE(*mounted.volume->list(small, ~0ull)->next());
        fs::remove_all(source() / "small");
    }
}

// Goal: a walk stops at links, ends where it should, and refuses what cannot be walked.
TEST_F(Special, WalkStopsAtLinks)
{
    fs::create_directories(source() / "a/b");
    write_host_file(source() / "a/b/file", {});
    fs::create_symlink("b", source() / "a/link");
    make("", "16M");
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto& volume = *mounted.volume;
    auto const root = *volume.inode(root_inode);
    auto const whole = volume.walk(root, "a//b/./../b/file");
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->inode.type(), FileType::regular);
    EXPECT_TRUE(whole->rest.empty());
    auto const stopped = volume.walk(root, "a/link/file");
    ASSERT_TRUE(stopped);
    EXPECT_EQ(stopped->inode.type(), FileType::symbolic_link);
    EXPECT_EQ(stopped->rest, "/file");
    EXPECT_EQ(volume.walk(root, "a/b/file/x").error(), Error::not_directory);
    EXPECT_EQ(volume.walk(root, "a/c/file").error(), Error::not_found);
    EXPECT_EQ(volume.walk(root, std::string(256, 'x')).error(), Error::name_too_long);
    EXPECT_EQ(volume.walk(root, std::string(4097, '/')).error(), Error::too_big);
    EXPECT_EQ(volume.walk(root, "")->inode.number, root_inode);
    EXPECT_EQ(volume.walk(root, "..")->inode.number, root_inode);
}

// Goal: the numbers of `df` are debugfs's. Method: compare with its `stats`.
TEST_F(Special, Statistics)
{
    write_host_file(source() / "file", std::vector<u8>(100000, 1));
    make("-L some-label -U 12345678-9abc-def0-1122-334455667788 -m 7", "32M");
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    auto const numbers = mounted.volume->statistics();
    auto const stats = Debugfs(image()).ask({ "stats" })[0];
    auto const shows = [&](std::string const& name, u64 value) {
        auto const at = stats.find(name + ":");
        return at != std::string::npos && std::stoull(stats.substr(at + name.size() + 1)) == value;
    };
    EXPECT_TRUE(shows("Block count", numbers.blocks));
    EXPECT_TRUE(shows("Free blocks", numbers.free_blocks));
    EXPECT_TRUE(shows("Reserved block count", numbers.free_blocks - numbers.available_blocks));
    EXPECT_TRUE(shows("Inode count", numbers.inodes));
    EXPECT_TRUE(shows("Free inodes", numbers.free_inodes));
    EXPECT_EQ(numbers.label, "some-label");
    EXPECT_EQ(numbers.kind, "ext4");
    EXPECT_EQ(numbers.uuid[0], 0x12);
    EXPECT_EQ(numbers.uuid[15], 0x88);
}

} // namespace

} // namespace gemel::ext4::test
