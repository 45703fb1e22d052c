// Contents that are kept in the inode: written, grown out of it, and what debugfs and e2fsck say.
#include "tests/ext4/comparison.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u16 regular = 0100644;
constexpr u16 folder_mode = 040755;

class InlineData : public testing::TestWithParam<char const*> {
protected:
    void SetUp() override
    {
        make_empty_image(image_, std::string("-O inline_data ") + GetParam(), "16M");
        written_.emplace(image_);
    }
    VolumeWriter& writer() { return written_->writer(); }
    u32 create(std::string const& name)
    {
        return writer().create({ root_inode, name }, { .mode = regular }).value();
    }
    void write(u32 file, u64 offset, std::vector<u8> const& bytes)
    {
        ASSERT_EQ(writer().write(file, offset, bytes).value(), bytes.size());
    }
    bool is_inline(u32 number)
    {
        return written_->volume().inode(number)->has(InodeFlag::inline_data);
    }
    // How much a file without attributes can keep in its inode.
    usize most()
    {
        auto const file = create("probe");
        usize bytes = 1;
        for (;; ++bytes) {
            EXPECT_TRUE(writer().write(file, bytes - 1, std::vector<u8>(1, 'p')));
            if (!is_inline(file))
                break;
        }
        EXPECT_TRUE(writer().remove({ root_inode, "probe" }, Removal::file));
        return bytes - 1;
    }
    // Unmounts; e2fsck has nothing to say, and debugfs reads the same bytes.
    void expect_contents(std::map<u32, std::vector<u8>> const& files)
    {
        ASSERT_TRUE(writer().unmount());
        expect_clean(image_);
        std::vector<u32> numbers;
        for (auto const& [number, bytes] : files)
            numbers.push_back(number);
        auto const judged = Debugfs(image_).dump(numbers);
        for (auto const& [number, bytes] : files) {
            auto expected = bytes;
            if (is_inline(number)) // of a short one debugfs gives the whole map
                expected.resize(std::max<usize>(expected.size(), inode_map_bytes));
            EXPECT_TRUE(judged.at(number) == expected) << number;
        }
        written_.emplace(image_);
        for (auto const& [number, bytes] : files) {
            auto const inode = *written_->volume().inode(number);
            EXPECT_TRUE(read_all(written_->volume(), inode) == bytes) << number;
        }
    }

    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
    std::optional<WrittenVolume> written_;
};

std::vector<u8> pattern(usize bytes, u8 first = 1)
{
    std::vector<u8> made(bytes);
    for (usize each = 0; each < bytes; ++each)
        made[each] = static_cast<u8>(first + each % 199);
    return made;
}

// Goal: files of every size around the limits hold their bytes, and the small ones no block.
TEST_P(InlineData, SizesAroundTheLimits)
{
    auto const limit = most();
    EXPECT_GT(limit, 100u);
    auto const before = written_->volume().statistics().free_blocks;
    std::map<u32, std::vector<u8>> files;
    for (usize const bytes : { usize { 1 }, usize { 59 }, usize { 60 }, usize { 61 }, limit - 1,
             limit, limit + 1, usize { 5'000 } }) {
        auto const file = create("f" + std::to_string(bytes));
        write(file, 0, pattern(bytes));
        files[file] = pattern(bytes);
        EXPECT_EQ(is_inline(file), bytes <= limit) << bytes;
    }
    auto const block_bytes = written_->volume().super().block_bytes;
    EXPECT_EQ(before - written_->volume().statistics().free_blocks,
        1 + (5'000 + block_bytes - 1) / block_bytes);
    expect_contents(files);
}

// Goal: what grows, shrinks and is written over in steps is what a plain vector would be.
TEST_P(InlineData, StepsOfEveryKind)
{
    std::mt19937_64 random(test_seed());
    std::map<u32, std::vector<u8>> files;
    for (int each = 0; each < 20; ++each) {
        auto const file = create("f" + std::to_string(each));
        auto& bytes = files[file];
        for (int step = 0; step < 12; ++step) {
            auto const at = random() % 200;
            if (random() % 3 != 0) {
                auto const part = pattern(1 + random() % 60, static_cast<u8>(step));
                write(file, at, part);
                bytes.resize(std::max<usize>(bytes.size(), at + part.size()));
                std::copy(part.begin(), part.end(), bytes.begin() + static_cast<long>(at));
            } else {
                ASSERT_TRUE(writer().resize(file, at));
                bytes.resize(at);
            }
        }
    }
    expect_contents(files);
}

// Goal: fallocate makes a file one of blocks, and punching and zeroing hold.
TEST_P(InlineData, Allocation)
{
    std::map<u32, std::vector<u8>> files;
    bool const extents = written_->volume().super().has(Incompatible::extent);
    for (auto const kind : { Allocation::grow, Allocation::keep_size, Allocation::punch,
             Allocation::zero, Allocation::zero_keep_size }) {
        auto const file = create("f" + std::to_string(static_cast<int>(kind)));
        auto bytes = pattern(100);
        write(file, 0, bytes);
        auto const done = writer().allocate(file, 20, 30, kind);
        ASSERT_EQ(done.has_value(), extents || kind == Allocation::punch);
        if (done && kind != Allocation::grow && kind != Allocation::keep_size)
            std::fill_n(bytes.begin() + 20, 30, u8 { 0 });
        files[file] = bytes;
        EXPECT_EQ(is_inline(file), !done);
    }
    expect_contents(files);
}

// Goal: attributes and contents share the inode: neither is lost, whoever comes first.
TEST_P(InlineData, BesideAttributes)
{
    std::map<u32, std::vector<u8>> files;
    auto const value = pattern(40);
    for (usize const bytes : { 30, 70, 100, 120, 400 }) {
        for (bool const attribute_first : { false, true }) {
            auto const file = create(std::to_string(bytes) + (attribute_first ? "a" : "c"));
            auto const set = [&] {
                ASSERT_TRUE(writer().set_extended(file, "user.note", value, AttributeMode::create));
            };
            if (attribute_first)
                set();
            write(file, 0, pattern(bytes));
            if (!attribute_first)
                set();
            files[file] = pattern(bytes);
            EXPECT_EQ(writer().set_extended(file, "system.data", value, AttributeMode::set).error(),
                Error::unsupported);
            auto const names
                = written_->volume().list_extended(*written_->volume().inode(file)).value();
            EXPECT_EQ(names, std::string("user.note\0", 10));
        }
    }
    expect_contents(files);
    for (auto const& [file, bytes] : files) {
        auto const inode = *written_->volume().inode(file);
        EXPECT_EQ(written_->volume().get_extended(inode, "user.note").value(), value);
    }
}

// Goal: a directory that outgrows its inode, then its block, has every name at each moment; what
// was taken away stays away.
TEST_P(InlineData, DirectoriesGrow)
{
    auto const folder = writer().create({ root_inode, "folder" }, { .mode = folder_mode }).value();
    EXPECT_TRUE(is_inline(folder));
    std::set<std::string> names;
    for (int each = 0; each < 300; ++each) {
        auto const name = "name" + std::to_string(each * 7919 % 1000) + std::string(each % 9, 'x');
        ASSERT_TRUE(writer().create({ folder, name }, { .mode = regular })) << each;
        names.insert(name);
        if (each % 5 == 3) {
            auto const gone = *names.begin();
            ASSERT_TRUE(writer().remove({ folder, gone }, Removal::file));
            names.erase(gone);
        }
        if (each > 30 && each % 50 != 0)
            continue;
        std::set<std::string> found;
        for (auto const& entry :
            list_all(written_->volume(), *written_->volume().inode(folder), 100)) {
            if (entry.name != "." && entry.name != "..")
                found.insert(entry.name);
        }
        EXPECT_EQ(found, names) << each;
        for (auto const& one : names)
            ASSERT_TRUE(written_->volume().lookup(*written_->volume().inode(folder), one)) << one;
        if (each % 7 == 0) { // e2fsck sees every form of it
            ASSERT_TRUE(writer().unmount());
            expect_clean(image_);
            written_.emplace(image_);
        }
    }
    EXPECT_FALSE(is_inline(folder));
    ASSERT_TRUE(writer().unmount());
    expect_clean(image_);
}

// Goal: a listing that is under way when the directory moves into a block misses no name.
TEST_P(InlineData, ListingWhileTheDirectoryMoves)
{
    auto const folder = writer().create({ root_inode, "folder" }, { .mode = folder_mode }).value();
    std::vector<std::string> names;
    for (int each = 0; is_inline(folder); ++each) {
        names.push_back("n" + std::to_string(each) + std::string(each * 3 % 11, 'y'));
        ASSERT_TRUE(writer().create({ folder, names.back() }, { .mode = regular }));
    }
    auto const outside = names.back();
    names.pop_back();
    auto const rename_back = [&] { // inline again: a new directory with the same names
        ASSERT_TRUE(writer().remove({ folder, outside }, Removal::file));
    };
    rename_back();
    for (usize stop = 0; stop < names.size(); ++stop) {
        auto const name = "again" + std::to_string(stop);
        auto const again = writer().create({ root_inode, name }, { .mode = folder_mode }).value();
        for (auto const& each : names)
            ASSERT_TRUE(writer().create({ again, each }, { .mode = regular }));
        ASSERT_TRUE(is_inline(again));
        ASSERT_TRUE(writer().remove({ again, names[0] }, Removal::file)); // a gap in the chain
        auto cursor = *written_->volume().list(*written_->volume().inode(again), 0);
        std::set<std::string> found;
        for (usize each = 0; each < stop; ++each)
            found.emplace((*cursor.next())->name);
        ASSERT_TRUE(writer().create({ again, std::string(200, 'z') }, { .mode = regular }));
        ASSERT_FALSE(is_inline(again));
        auto rest = *written_->volume().list(*written_->volume().inode(again), cursor.cookie());
        while (auto const entry = *rest.next())
            found.emplace(entry->name);
        for (usize each = 1; each < names.size(); ++each)
            EXPECT_TRUE(found.contains(names[each])) << names[each] << ", stopped at " << stop;
    }
    ASSERT_TRUE(writer().unmount());
    expect_clean(image_);
}

// Goal: directories move, are exchanged and replaced with their ".." in the inode.
TEST_P(InlineData, DirectoriesMove)
{
    auto const make = [&](u32 parent, std::string const& name) {
        return writer().create({ parent, name }, { .mode = folder_mode }).value();
    };
    auto const a = make(root_inode, "a");
    auto const b = make(root_inode, "b");
    auto const inner = make(a, "inner");
    auto const other = make(b, "other");
    ASSERT_TRUE(writer().rename({ a, "inner" }, { b, "moved" }, RenameWay::replace));
    auto const parent_of = [&](u32 number) {
        return written_->volume().lookup(*written_->volume().inode(number), "..")->inode;
    };
    EXPECT_EQ(parent_of(inner), b);
    ASSERT_TRUE(writer().rename({ b, "other" }, { root_inode, "a" }, RenameWay::replace));
    EXPECT_EQ(parent_of(other), root_inode);
    ASSERT_TRUE(writer().rename({ b, "moved" }, { root_inode, "a" }, RenameWay::exchange));
    EXPECT_EQ(parent_of(inner), root_inode);
    EXPECT_EQ(parent_of(other), b);
    EXPECT_EQ(writer().rename({ root_inode, "b" }, { b, "x" }, RenameWay::replace).error(),
        Error::invalid);
    EXPECT_EQ(writer().remove({ root_inode, "b" }, Removal::directory).error(), Error::not_empty);
    ASSERT_TRUE(writer().remove({ b, "moved" }, Removal::directory));
    ASSERT_TRUE(writer().unmount());
    expect_clean(image_);
}

// Goal: a full volume takes small files while there are inodes, and refuses what needs a block.
TEST_P(InlineData, FullVolume)
{
    auto const filler = create("filler");
    auto const block_bytes = written_->volume().super().block_bytes;
    for (u64 at = 0; writer().write(filler, at, pattern(block_bytes)); at += block_bytes) { }
    auto const small = create("small");
    write(small, 0, pattern(100));
    auto const refused = writer().write(small, 100, pattern(2'000));
    EXPECT_EQ(refused.error(), Error::no_space);
    EXPECT_TRUE(is_inline(small)); // a failed call changes nothing
    expect_contents({ { small, pattern(100) } });
}

INSTANTIATE_TEST_SUITE_P(Shapes, InlineData,
    testing::Values("-b 1024", "-b 4096 -I 512", "-b 1024 -I 1024 -O ^metadata_csum",
        "-b 1024 -O ^extent,^64bit"),
    [](auto const& info) { return "shape" + std::to_string(info.index); });

// Goal: damaged inline data is refused by name, for reading and for changes, and spreads nowhere.
TEST(InlineDamage, IsNamed)
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    make_empty_image(image, "-b 1024 -O inline_data,^metadata_csum", "16M");
    u32 directory = 0;
    {
        WrittenVolume written(image);
        directory = written.writer().create({ root_inode, "d" }, { .mode = folder_mode }).value();
        ASSERT_TRUE(written.writer().create({ directory, "name" }, { .mode = regular }));
        ASSERT_TRUE(written.writer().unmount());
    }
    auto const inode = Debugfs(image).inode_offset(directory, 1024);
    overwrite(image, inode + 0x28 + 4 + 4, std::vector<u8> { 3, 0 }); // the first entry's length
    WrittenVolume written(image);
    auto const damaged = *written.volume().inode(directory);
    EXPECT_EQ(written.volume().lookup(damaged, "name").error(), Error::corrupt);
    EXPECT_TRUE(written.errors().mention({ "inode " + std::to_string(directory), "inline data" }));
    EXPECT_EQ(written.writer().create({ root_inode, "other" }, { .mode = regular }).error(),
        Error::read_only);
    run("e2fsck -fy " + quoted(image) + " || true");
    overwrite(image, inode + 0x28 + 4 + 4, std::vector<u8> { 3, 0 });
    WrittenVolume again(image);
    EXPECT_EQ(
        again.writer().create({ directory, "other" }, { .mode = regular }).error(), Error::corrupt);
}

// Goal: a directory whose inline data lost their attribute is damaged, and its room may be gone.
// Method: give that attribute another name, fill the inode with one, and add a name.
TEST(InlineDamage, RoomThatAnotherAttributeTook)
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    make_empty_image(image, "-b 1024 -I 256 -O inline_data,^metadata_csum", "16M");
    u32 directory = 0;
    {
        WrittenVolume written(image);
        directory = written.writer().create({ root_inode, "d" }, { .mode = folder_mode }).value();
        ASSERT_TRUE(written.writer().unmount());
    }
    constexpr u64 name_space = 128 + 32 + 4 + 1; // of the first attribute in an inode
    overwrite(
        image, Debugfs(image).inode_offset(directory, 1024) + name_space, std::vector<u8> { 39 });
    WrittenVolume written(image);
    ASSERT_TRUE(written.writer().set_extended(
        directory, "user.x", std::vector<u8>(48, 'x'), AttributeMode::set));
    EXPECT_EQ(written.writer().create({ directory, "name" }, { .mode = regular }).error(),
        Error::corrupt);
    EXPECT_TRUE(written.errors().mention({ "inode " + std::to_string(directory), "inline data" }));
}

} // namespace

} // namespace gemel::ext4::test
