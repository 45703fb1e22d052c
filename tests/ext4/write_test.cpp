// Volumes that mkfs.ext4 made are written at random beside a naive model; e2fsck judges.
#include "servers/ext4/check/repair.hpp"
#include "tests/ext4/comparison.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

struct Shape {
    char const* name;
    char const* options;
};

void PrintTo(Shape const& shape, std::ostream* out)
{
    *out << shape.name;
}

class WriteTest : public testing::TestWithParam<Shape> {
protected:
    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
};

// Goal: any sequence of changes leaves what a naive model leaves, in memory, after a remount, and
// in e2fsck's eyes.
// Method: random steps over few names with syncs between them; unmount, e2fsck, mount, go on.
TEST_P(WriteTest, RandomChangesAgreeWithAModel)
{
    make_empty_image(image_, GetParam().options, "24M");
    auto written = std::make_unique<WrittenVolume>(image_);
    auto model = std::make_unique<ModelledVolume>(*written, test_seed());
    for (int mount = 0; mount < 3; ++mount) {
        for (int step = 0; step < 600; ++step) {
            model->step();
            if (HasFatalFailure())
                return;
            if (step % 97 == 0) {
                ASSERT_TRUE(written->writer().sync());
            }
        }
        model->compare();
        EXPECT_GT(model->files(), 20u);
        ASSERT_TRUE(written->writer().unmount());
        EXPECT_TRUE(written->errors().sentences.empty()) << written->errors().sentences.back();
        expect_clean(image_);
        auto next = std::make_unique<WrittenVolume>(image_);
        auto next_model = std::make_unique<ModelledVolume>(*next, *model);
        model = std::move(next_model);
        written = std::move(next);
        model->compare();
    }
}

// Goal: a directory of thousands of names finds, removes and lists each of them.
// Method: fill it past several levels of its hash tree, take every third name away, look at all.
TEST_P(WriteTest, LargeDirectory)
{
    make_empty_image(image_, std::string(GetParam().options) + " -N 8192", "24M");
    constexpr u32 count = 4'000;
    auto const name = [](u32 index) {
        return std::to_string(index * 2'654'435'761u) + std::string(index % 60, '_');
    };
    {
        WrittenVolume written(image_);
        auto const folder
            = written.writer().create({ root_inode, "folder" }, { .mode = 040755 }).value();
        for (u32 index = 0; index < count; ++index) {
            auto const text = name(index);
            ASSERT_TRUE(written.writer().create({ folder, text }, { .mode = 0100644 })) << index;
        }
        for (u32 index = 0; index < count; index += 3) {
            auto const text = name(index);
            ASSERT_TRUE(written.writer().remove({ folder, text }, Removal::file)) << index;
        }
        ASSERT_TRUE(written.writer().unmount());
    }
    expect_clean(image_);
    WrittenVolume written(image_);
    auto const folder = *written.volume().inode(written.number("folder"));
    for (u32 index = 0; index < count; ++index)
        ASSERT_EQ(written.volume().lookup(folder, name(index)).has_value(), index % 3 != 0);
    EXPECT_EQ(list_all(written.volume(), folder, 100).size(), 2 + count - (count + 2) / 3);
}

// Goal: a file of thousands of extents is mapped right while it grows, is punched and goes.
// Method: write every other block, in three passes from different ends; then punch, cut, remove.
TEST_P(WriteTest, FragmentedFile)
{
    make_empty_image(image_, GetParam().options, "24M");
    auto const free = [](WrittenVolume& each) { return each.volume().statistics().free_blocks; };
    WrittenVolume written(image_);
    auto const before = free(written);
    auto& writer = written.writer();
    auto const block_bytes = written.volume().super().block_bytes;
    auto const blocks = std::min<u64>(3'000, before / 3);
    auto const file = writer.create({ root_inode, "f" }, { .mode = 0100644 }).value();
    auto const put = [&](u64 block) {
        std::vector<u8> const bytes(block_bytes, static_cast<u8>(block * 7));
        return writer.write(file, 2 * block * block_bytes, bytes).has_value();
    };
    for (u64 block = 0; block < blocks; block += 3)
        ASSERT_TRUE(put(block));
    for (u64 block = blocks; block-- > 0;) {
        if (block % 3 == 1) {
            ASSERT_TRUE(put(block));
        }
    }
    for (u64 block = 2; block < blocks; block += 3)
        ASSERT_TRUE(put(block));
    std::vector<u8> bytes(block_bytes);
    for (u64 block = 0; block < blocks; ++block) {
        auto const inode = *written.volume().inode(file);
        ASSERT_EQ(*written.volume().read(inode, 2 * block * block_bytes, bytes), block_bytes);
        ASSERT_EQ(bytes[block % block_bytes], static_cast<u8>(block * 7)) << block;
    }
    ASSERT_TRUE(writer.allocate(
        file, blocks * block_bytes / 2, blocks * block_bytes / 2 + 100, Allocation::punch));
    ASSERT_TRUE(writer.sync());
    ASSERT_TRUE(writer.resize(file, blocks * block_bytes / 4));
    ASSERT_TRUE(writer.remove({ root_inode, "f" }, Removal::file));
    EXPECT_EQ(free(written), before);
    ASSERT_TRUE(writer.unmount());
    expect_clean(image_);
}

// Goal: a full volume says so, loses nothing, and serves on when something is removed.
// Method: write until no_space, in data and in names; remove; write again.
TEST_P(WriteTest, FullVolume)
{
    make_empty_image(image_, GetParam().options, "24M");
    WrittenVolume written(image_);
    auto& writer = written.writer();
    std::vector<u8> const bytes(300'000, 'x');
    u32 files = 0;
    auto const create = [&](std::string const& name) {
        return writer.create({ root_inode, name }, { .mode = 0100644 });
    };
    for (; files < 1'000; ++files) {
        auto const file = create("f" + std::to_string(files));
        if (!file) {
            ASSERT_EQ(file.error(), Error::no_space);
            break;
        }
        auto const done = writer.write(*file, 0, bytes);
        if (!done || *done < bytes.size()) {
            ASSERT_TRUE(done || done.error() == Error::no_space);
            break;
        }
    }
    ASSERT_LT(files, 1'000u);
    // Where data would need a block of pointers too, single blocks may be left.
    auto const rest = create("rest").value();
    auto const block_bytes = written.volume().super().block_bytes;
    for (u64 at = 0; writer.write(rest, at, std::span(bytes).first(block_bytes)); at += block_bytes)
        ASSERT_LT(at, 4 * block_bytes);
    auto const open = writer.create({ root_inode, "open" }, { .mode = 0100644 }).value();
    EXPECT_EQ(writer.write(open, 0, bytes).error(), Error::no_space);
    EXPECT_EQ(written.volume().statistics().available_blocks, 0u);
    ASSERT_TRUE(writer.remove({ root_inode, "f0" }, Removal::file));
    EXPECT_EQ(*writer.write(open, 0, std::span(bytes).first(100'000)), 100'000u);
    EXPECT_TRUE(written.contents("f1") == bytes);
    ASSERT_TRUE(writer.unmount());
    expect_clean(image_);
}

// Goal: an open file without a name keeps its contents until it is closed, and no longer.
// Method: open, remove, write, read, close; free blocks are as before.
TEST_P(WriteTest, OpenFileWithoutName)
{
    make_empty_image(image_, GetParam().options, "24M");
    WrittenVolume written(image_);
    auto& writer = written.writer();
    auto const before = written.volume().statistics();
    auto const file = writer.create({ root_inode, "f" }, { .mode = 0100644 }).value();
    auto const other = writer.create({ root_inode, "g" }, { .mode = 0100644 }).value();
    writer.opened(file);
    writer.opened(other);
    ASSERT_TRUE(writer.remove({ root_inode, "f" }, Removal::file));
    ASSERT_TRUE(writer.remove({ root_inode, "g" }, Removal::file));
    std::vector<u8> const bytes(20'000, 'y');
    ASSERT_EQ(*writer.write(file, 0, bytes), bytes.size());
    ASSERT_EQ(*writer.write(other, 0, bytes), bytes.size());
    ASSERT_TRUE(writer.resize(file, 10'000));
    auto const inode = written.volume().inode(file, InodeUse::any);
    ASSERT_TRUE(inode);
    EXPECT_EQ(read_all(written.volume(), *inode).size(), 10'000u);
    ASSERT_TRUE(writer.closed(file)); // the older one: it stands behind the other on the list
    EXPECT_EQ(written.volume().statistics().free_inodes, before.free_inodes - 1);
    ASSERT_TRUE(writer.unmount());
    EXPECT_EQ(written.volume().statistics().free_inodes, before.free_inodes);
    EXPECT_EQ(written.volume().statistics().free_blocks, before.free_blocks);
    expect_clean(image_);
}

// Goal: a writer that dies leaves what was synced, and a volume that the next mount puts in order.
// Method: random steps with open files, then no unmount: right after a sync, everything is there;
// else e2fsck has nothing to say after the next mount and unmount.
TEST_P(WriteTest, DiesWithoutUnmount)
{
    make_empty_image(image_, GetParam().options, "24M");
    auto written = std::make_unique<WrittenVolume>(image_);
    if (!written->volume().super().has(Compatible::has_journal))
        GTEST_SKIP() << "without a journal such a volume is for a repair";
    auto model = std::make_unique<ModelledVolume>(*written, test_seed() + 1);
    for (int life = 0; life < 4; ++life) {
        for (int step = 0; step < 300 && !HasFatalFailure(); ++step)
            model->step();
        auto const file
            = written->writer().create({ root_inode, "open" }, { .mode = 0100644 }).value();
        written->writer().opened(file);
        ASSERT_TRUE(written->writer().remove({ root_inode, "open" }, Removal::file));
        ASSERT_TRUE(written->writer().write(file, 0, std::vector<u8>(50'000, 'o')));
        ASSERT_TRUE(written->writer().sync());
        auto next = std::make_unique<WrittenVolume>(image_);
        auto next_model = std::make_unique<ModelledVolume>(*next, *model);
        model = std::move(next_model);
        written = std::move(next);
        model->compare();
    }
    for (int step = 0; step < 300 && !HasFatalFailure(); ++step)
        model->step();
    WrittenVolume last(image_);
    ASSERT_TRUE(last.writer().unmount());
    expect_clean(image_);
}

// Goal: a volume without a journal that was in use when the power went is not written before it was
// repaired, and what was synced is there then.
TEST(NoJournal, IsRepairedAfterAPowerCut)
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    make_empty_image(image, "-b 1024 -O ^has_journal", "24M");
    std::vector<u8> const bytes(30'000, 'k');
    {
        WrittenVolume written(image);
        auto const kept
            = written.writer().create({ root_inode, "kept" }, { .mode = 0100644 }).value();
        ASSERT_TRUE(written.writer().write(kept, 0, bytes));
        ASSERT_TRUE(written.writer().create({ root_inode, "gone" }, { .mode = 0100644 }));
        auto const open = written.number("gone");
        written.writer().opened(open);
        ASSERT_TRUE(written.writer().remove({ root_inode, "gone" }, Removal::file));
        ASSERT_TRUE(written.writer().sync());
        ASSERT_TRUE(written.writer().create({ root_inode, "unsynced" }, { .mode = 0100644 }));
    }
    FileBlockDevice device(image);
    WriteOptions const options { .now_ns = [] { return i64 { 1'700'000'000'000'000'000 }; } };
    {
        CollectedErrors errors;
        MountReport report;
        auto const volume = Volume::mount_writable(device, errors, report, options);
        ASSERT_TRUE(volume);
        EXPECT_EQ(volume->writer(), nullptr);
        EXPECT_NE(report.notes.back().find("no journal"), std::string::npos);
    }
    MountReport report;
    auto const done = repair_volume(device, report, options);
    ASSERT_TRUE(done);
    EXPECT_TRUE(done->after.findings.empty());
    EXPECT_EQ(done->orphans, 1u);
    expect_clean(image);
    WrittenVolume again(image);
    EXPECT_EQ(again.contents("kept"), bytes);
    EXPECT_FALSE(again.volume().lookup(*again.volume().inode(root_inode), "unsynced"));
    ASSERT_TRUE(again.writer().unmount());
    expect_clean(image);
}

// Goal: files mapped by block pointers change and grow beside files with extents in one volume, and
// reach every level of pointers.
// Method: make them without the feature, switch it on, write, punch and cut on all levels; e2fsck.
TEST(WriteOldMap, OldFilesInANewVolume)
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    make_empty_image(image, "-b 1024 -O ^extent,^64bit", "64M");
    constexpr u64 places[] = { 0, 11, 12, 267, 268, 269, 5'000, 65'803, 65'804, 70'000, 131'340,
        16'843'019 }; // the last that 1 KiB of pointers can map
    auto const block
        = [](u64 number) { return std::vector<u8>(1024, static_cast<u8>(number % 251 + 1)); };
    {
        WrittenVolume written(image);
        auto const old
            = written.writer().create({ root_inode, "old" }, { .mode = 0100644 }).value();
        for (auto const place : places)
            ASSERT_TRUE(written.writer().write(old, place * 1024, block(place))) << place;
        EXPECT_EQ(
            written.writer().write(old, 16'843'020ull * 1024, block(1)).error(), Error::too_big);
        EXPECT_EQ(written.writer().resize(old, 16'843'020ull * 1024 + 1).error(), Error::too_big);
        EXPECT_EQ(
            written.writer().allocate(old, 0, 9000, Allocation::grow).error(), Error::unsupported);
        ASSERT_TRUE(written.writer().unmount());
    }
    expect_clean(image);
    run("tune2fs -O extent " + quoted(image));
    WrittenVolume written(image);
    auto const before = written.volume().statistics().free_blocks;
    auto& writer = written.writer();
    auto const old = written.number("old");
    auto const made = writer.create({ root_inode, "new" }, { .mode = 0100644 }).value();
    std::vector<u8> found(1024);
    for (auto const place : places) {
        ASSERT_TRUE(writer.write(made, place * 1024, block(place)));
        ASSERT_TRUE(written.volume().read(*written.volume().inode(old), place * 1024, found));
        EXPECT_EQ(found, block(place)) << place;
    }
    ASSERT_TRUE(writer.allocate(old, 268 * 1024 + 100, 1024 * 65'000, Allocation::punch));
    ASSERT_TRUE(written.volume().read(*written.volume().inode(old), 5'000 * 1024, found));
    EXPECT_EQ(found, std::vector<u8>(1024));
    ASSERT_TRUE(writer.resize(old, 70'000 * 1024 + 5));
    ASSERT_TRUE(writer.write(old, 300 * 1024, std::vector<u8>(400 * 1024, 7)));
    ASSERT_TRUE(writer.unmount());
    expect_clean(image);
    WrittenVolume again(image);
    ASSERT_TRUE(again.writer().remove({ root_inode, "old" }, Removal::file));
    ASSERT_TRUE(again.writer().remove({ root_inode, "new" }, Removal::file));
    ASSERT_TRUE(again.writer().unmount());
    EXPECT_GT(again.volume().statistics().free_blocks, before);
    expect_clean(image);
}

INSTANTIATE_TEST_SUITE_P(Shapes, WriteTest,
    testing::Values(Shape { "debian", "" }, Shape { "block4k", "-b 4096" },
        Shape { "block2k", "-b 2048" }, Shape { "inode128", "-I 128" },
        Shape { "no_csum", "-O ^metadata_csum" }, Shape { "uninit", "-O ^metadata_csum,uninit_bg" },
        Shape { "no_64bit", "-O ^64bit" }, Shape { "seed", "-O metadata_csum_seed" },
        Shape { "meta_bg", "-O meta_bg,^resize_inode" },
        Shape { "meta_bg_groups", "-b 1024 -O meta_bg,^resize_inode -g 1024" }, // two meta groups
        Shape { "sparse_super2", "-O sparse_super2 -g 2048" },
        Shape { "no_flex", "-O ^flex_bg -g 2048" }, Shape { "no_journal", "-O ^has_journal" },
        Shape { "no_journal4k", "-b 4096 -O ^has_journal,^metadata_csum" },
        Shape { "no_journal128", "-b 2048 -I 128 -O ^has_journal,^64bit" },
        Shape { "ext2", "-t ext2" }, Shape { "ext2_4k", "-t ext2 -b 4096 -I 128" },
        Shape { "ext3", "-t ext3 -J size=1" }, Shape { "ext3_2k", "-t ext3 -b 2048 -O ^dir_index" },
        Shape { "no_extent", "-O ^extent,^64bit" }, Shape { "orphan_file", "-O orphan_file" },
        Shape { "inline", "-O inline_data" },
        Shape { "inline_large", "-b 2048 -I 1024 -O inline_data,^metadata_csum" },
        Shape { "inline_old_map", "-O inline_data,^extent,^64bit" }),
    [](auto const& info) { return std::string(info.param.name); });

} // namespace

} // namespace gemel::ext4::test
