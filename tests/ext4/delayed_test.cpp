// Blocks that are chosen late: what never gets any, what lies in one piece, and that no promise of
// space and no order of writes is broken for it.
#include "servers/ext4/check/check.hpp"
#include "servers/ext4/recovery.hpp"
#include "tests/ext4/crash/cow_device.hpp"
#include "tests/ext4/crash/crash_states.hpp"
#include "tests/ext4/debugfs.hpp"
#include "tests/ext4/log_writer.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u64 block_bytes = 1024;
constexpr u8 mark = 0xA7; // of bytes that are looked for on the device
constexpr i64 start_ns = 1'700'000'000'000'000'000;

class DelayedTest : public testing::Test {
protected:
    void start(std::string const& size, std::string const& options = "-m 0")
    {
        make_empty_image(image_, "-b 1024 " + options, size);
        before_ = read_host_file(image_);
        device_ = std::make_unique<RecordingDevice>(before_);
        mount();
    }
    void mount()
    {
        volume_.reset();
        auto options = options_;
        options.now_ns = [this] { return now_ns_ += 1'000'000; };
        MountReport report;
        auto mounted = Volume::mount_writable(*device_, errors_, report, options);
        ASSERT_TRUE(mounted) << report.refusal;
        volume_ = std::make_unique<Volume>(std::move(*mounted));
        ASSERT_NE(volume_->writer(), nullptr);
    }
    void unmount()
    {
        ASSERT_TRUE(writer().unmount());
        EXPECT_TRUE(errors_.sentences.empty()) << errors_.sentences[0];
        write_host_file(image_, device_->image());
        expect_clean(image_);
    }

    VolumeWriter& writer() { return *volume_->writer(); }
    u32 file(std::string const& name)
    {
        return writer().create({ root_inode, name }, { .mode = 0100644 }).value();
    }
    u64 put(u32 inode, u64 offset, u64 bytes, u8 value = mark)
    {
        auto const done = writer().write(inode, offset, std::vector<u8>(bytes, value));
        return done ? *done : 0;
    }
    Inode inode(u32 number) { return volume_->inode(number, InodeUse::any).value(); }
    std::vector<u8> contents(u32 number) { return read_all(*volume_, inode(number)); }
    u64 free_blocks() { return volume_->statistics().free_blocks; }
    u64 available_blocks() { return volume_->statistics().available_blocks; }
    // How many blocks full of `mark` were ever written to the device.
    u64 marked_blocks() const
    {
        u64 found = 0;
        for (auto const& epoch : device_->epochs()) {
            for (auto const& write : epoch) {
                for (u64 at = 0; at + block_bytes <= write.bytes.size(); at += block_bytes) {
                    auto const block = std::span(write.bytes).subspan(at, block_bytes);
                    found += std::all_of(
                        block.begin(), block.end(), [](u8 byte) { return byte == mark; });
                }
            }
        }
        return found;
    }
    usize extents(std::string const& name) const
    {
        auto const said = Debugfs(image_).ask({ "dump_extents -l " + name })[0];
        return static_cast<usize>(std::count(said.begin(), said.end(), '\n')) - 1;
    }
    // Single free blocks with used ones between them, and all of them may be used at once.
    void leave_holes()
    {
        u32 count = 0;
        while (true) {
            auto const made
                = writer().create({ root_inode, "s" + std::to_string(count) }, { .mode = 0100644 });
            if (!made || put(*made, 0, block_bytes, 1) != block_bytes)
                break;
            if (++count % 64 == 0) {
                ASSERT_TRUE(writer().sync());
            }
        }
        ASSERT_TRUE(writer().sync());
        for (u32 each = 0; each < count; each += 2)
            ASSERT_TRUE(writer().remove({ root_inode, "s" + std::to_string(each) }, Removal::file));
        ASSERT_TRUE(writer().sync());
    }

    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
    std::vector<u8> before_;
    WriteOptions options_ {};
    std::unique_ptr<RecordingDevice> device_;
    CollectedErrors errors_;
    i64 now_ns_ = start_ns;
    std::unique_ptr<Volume> volume_;
};

} // namespace

// Goal: a file that is removed before the next commit has never had a block, its bytes were never
// written, nor those of one that another took the name of, that was cut, or that was punched.
TEST_F(DelayedTest, WhatIsGoneBeforeACommitWasNowhere)
{
    start("16M");
    auto const kept = file("kept");
    ASSERT_TRUE(writer().sync());
    auto const free = free_blocks();
    auto const removed = file("removed");
    auto const replaced = file("replaced");
    auto const open = file("open");
    writer().opened(open);
    for (auto const each : { removed, replaced, open, kept }) {
        ASSERT_EQ(put(each, 0, 50 * block_bytes), 50 * block_bytes);
        EXPECT_EQ(inode(each).allocated_bytes, 0u);
        EXPECT_EQ(volume_->allocated_bytes(inode(each)), 50 * block_bytes);
    }
    EXPECT_EQ(free_blocks(), free - 200);
    ASSERT_TRUE(writer().remove({ root_inode, "removed" }, Removal::file));
    EXPECT_EQ(free_blocks(), free - 150);
    ASSERT_TRUE(writer().remove({ root_inode, "open" }, Removal::file));
    EXPECT_EQ(contents(open), std::vector<u8>(50 * block_bytes, mark));
    ASSERT_TRUE(writer().closed(open));
    EXPECT_EQ(free_blocks(), free - 100);
    auto const other = file("other");
    ASSERT_TRUE(
        writer().rename({ root_inode, "other" }, { root_inode, "replaced" }, RenameWay::replace));
    EXPECT_EQ(free_blocks(), free - 50);
    ASSERT_TRUE(writer().allocate(kept, 0, 30 * block_bytes, Allocation::punch));
    EXPECT_EQ(free_blocks(), free - 20);
    ASSERT_TRUE(writer().resize(kept, 30 * block_bytes));
    EXPECT_EQ(free_blocks(), free);
    ASSERT_TRUE(writer().sync());
    EXPECT_EQ(free_blocks(), free);
    EXPECT_EQ(marked_blocks(), 0u);
    EXPECT_EQ(contents(kept), std::vector<u8>(30 * block_bytes));
    EXPECT_EQ(contents(other).size(), 0u);
    unmount();
}

// Goal: files that grow by turns have one extent each, and their blocks are written once.
TEST_F(DelayedTest, WritersByTurnsGetOneExtentEach)
{
    start("16M");
    std::vector<u32> files;
    for (auto const* name : { "a", "b", "c", "d", "e" })
        files.push_back(file(name));
    constexpr u64 blocks = 150;
    for (u64 block = 0; block < blocks; ++block) {
        for (auto const each : files)
            ASSERT_EQ(put(each, block * block_bytes, block_bytes), block_bytes);
    }
    EXPECT_EQ(marked_blocks(), 0u);
    ASSERT_TRUE(writer().sync());
    EXPECT_EQ(marked_blocks(), blocks * files.size());
    unmount();
    for (auto const* name : { "a", "b", "c", "d", "e" })
        EXPECT_EQ(extents(name), 1u) << name;
}

// Goal: more than may wait gets its blocks without a commit, and is all there.
TEST_F(DelayedTest, WhatIsTooMuchToWaitIsPlaced)
{
    options_.waiting_bytes_max = 64 * block_bytes;
    start("16M");
    auto const made = file("long");
    auto const epochs = device_->epochs().size();
    for (u64 block = 0; block < 1000; block += 10)
        ASSERT_EQ(put(made, block * block_bytes, 10 * block_bytes, u8(block)), 10 * block_bytes);
    EXPECT_EQ(device_->epochs().size(), epochs);
    EXPECT_GE(inode(made).allocated_bytes, 900 * block_bytes);
    auto const read = contents(made);
    for (u64 block = 0; block < 1000; ++block)
        ASSERT_EQ(read[block * block_bytes], u8(block / 10 * 10)) << block;
    unmount();
    EXPECT_LE(extents("long"), 4u);
}

// Goal: reading, seeking and counting see blocks that wait, mapped ones and holes alike.
TEST_F(DelayedTest, ReadersSeeWhatWaits)
{
    start("16M");
    auto const made = file("mixed");
    ASSERT_EQ(put(made, 4 * block_bytes, 2 * block_bytes, 1), 2 * block_bytes); // mapped
    ASSERT_TRUE(writer().sync());
    ASSERT_EQ(put(made, 10 * block_bytes + 100, 50, 2), 50u); // waits
    ASSERT_EQ(put(made, 3 * block_bytes, 3 * block_bytes, 3), 3 * block_bytes); // waits and mapped
    EXPECT_EQ(inode(made).size_bytes, 10 * block_bytes + 150);
    std::vector<u8> expected(10 * block_bytes + 150);
    std::fill_n(expected.begin() + 3 * block_bytes, 3 * block_bytes, u8 { 3 });
    std::fill_n(expected.begin() + 10 * block_bytes + 100, 50, u8 { 2 });
    EXPECT_EQ(contents(made), expected);
    auto const data = Volume::Sought::data;
    auto const hole = Volume::Sought::hole;
    EXPECT_EQ(*volume_->seek(inode(made), 0, data), 3 * block_bytes);
    EXPECT_EQ(*volume_->seek(inode(made), 3 * block_bytes, hole), 6 * block_bytes);
    EXPECT_EQ(*volume_->seek(inode(made), 6 * block_bytes, data), 10 * block_bytes);
    EXPECT_EQ(*volume_->seek(inode(made), 10 * block_bytes, hole), expected.size());
    EXPECT_EQ(*volume_->seek(inode(made), 0, hole), 0u);
    EXPECT_EQ(volume_->allocated_bytes(inode(made)), 4 * block_bytes);
    ASSERT_TRUE(writer().sync());
    EXPECT_EQ(contents(made), expected);
    EXPECT_EQ(*volume_->seek(inode(made), 6 * block_bytes, data), 10 * block_bytes);
    EXPECT_EQ(inode(made).allocated_bytes, 4 * block_bytes);
    unmount();
}

// Goal: cutting inside of a block that waits and growing again shows zeros; so does zeroing.
TEST_F(DelayedTest, CuttingAndZeroingWhatWaits)
{
    start("16M");
    auto const made = file("cut");
    ASSERT_EQ(put(made, 0, 20 * block_bytes), 20 * block_bytes);
    ASSERT_TRUE(writer().resize(made, 10 * block_bytes + 10));
    ASSERT_TRUE(writer().resize(made, 20 * block_bytes));
    ASSERT_TRUE(writer().allocate(made, 100, 4 * block_bytes, Allocation::punch));
    std::vector<u8> expected(20 * block_bytes);
    std::fill_n(expected.begin(), 10 * block_bytes + 10, mark);
    std::fill_n(expected.begin() + 100, 4 * block_bytes, u8 { 0 });
    EXPECT_EQ(contents(made), expected);
    EXPECT_EQ(*volume_->seek(inode(made), 0, Volume::Sought::hole), block_bytes);
    ASSERT_TRUE(writer().allocate(made, 8 * block_bytes + 1, 20 * block_bytes, Allocation::zero));
    expected.resize(28 * block_bytes + 1);
    std::fill(expected.begin() + 8 * block_bytes + 1, expected.end(), u8 { 0 });
    EXPECT_EQ(contents(made), expected);
    ASSERT_TRUE(writer().sync());
    EXPECT_EQ(contents(made), expected);
    mount();
    EXPECT_EQ(contents(made), expected);
    unmount();
}

// Goal: preallocating over blocks that wait keeps their bytes, and a write into what was allocated
// behind the end of a file that waits is in order.
TEST_F(DelayedTest, PreallocatingWhereBlocksWait)
{
    start("16M");
    auto const made = file("kept");
    ASSERT_EQ(put(made, 2 * block_bytes, 3 * block_bytes), 3 * block_bytes);
    ASSERT_TRUE(writer().allocate(made, 0, 30 * block_bytes, Allocation::keep_size));
    EXPECT_EQ(inode(made).size_bytes, 5 * block_bytes);
    EXPECT_EQ(inode(made).allocated_bytes, 30 * block_bytes);
    ASSERT_EQ(put(made, 40 * block_bytes, block_bytes), block_bytes); // waits
    ASSERT_TRUE(writer().resize(made, 5 * block_bytes));
    ASSERT_TRUE(writer().allocate(made, 20 * block_bytes, 10 * block_bytes, Allocation::keep_size));
    ASSERT_EQ(put(made, 10 * block_bytes, block_bytes), block_bytes); // waits
    ASSERT_EQ(put(made, 25 * block_bytes, block_bytes), block_bytes); // does not
    std::vector<u8> expected(26 * block_bytes);
    for (u64 const block : { 2, 3, 4, 10, 25 })
        std::fill_n(
            expected.begin() + static_cast<std::ptrdiff_t>(block * block_bytes), block_bytes, mark);
    EXPECT_EQ(contents(made), expected);
    ASSERT_TRUE(writer().sync());
    mount();
    EXPECT_EQ(contents(made), expected);
    unmount();
}

// Goal: space is refused when it is asked for, to the last block, and what was accepted is never
// refused later, however the free blocks lie.
// Method: only single free blocks are left, so that each needs an extent of its own and the map
// needs blocks, too; files take them until there are none.
TEST_F(DelayedTest, WhatWasAcceptedIsKept)
{
    for (u32 const files : { 1u, 3u, 40u }) {
        start("4M", "-m 0 -N 2048 -O ^has_journal");
        leave_holes();
        std::vector<u32> numbers;
        std::vector<u64> sizes(files);
        for (u32 each = 0; each < files; ++each)
            numbers.push_back(file("f" + std::to_string(each)));
        for (u64 turn = 0;; ++turn) {
            auto const each = turn % files;
            if (put(numbers[each], sizes[each], block_bytes) == 0)
                break;
            sizes[each] += block_bytes;
        }
        EXPECT_LE(available_blocks(), 1u); // one block of a map may be what did not fit
        ASSERT_TRUE(writer().sync());
        EXPECT_LE(available_blocks(), 1u);
        for (u32 each = 0; each < files; ++each)
            EXPECT_EQ(contents(numbers[each]), std::vector<u8>(sizes[each], mark));
        unmount();
    }
}

// Goal: the same when directories and other files take space meanwhile, and blocks that the last
// commit still uses become free.
TEST_F(DelayedTest, PromisesStandBesidesOtherChanges)
{
    std::mt19937_64 random(test_seed());
    start("4M", "-m 0 -N 2048 -J size=1");
    leave_holes();
    std::map<std::string, u64> sizes;
    u32 refused = 0;
    for (u32 turn = 0; turn < 3000; ++turn) {
        auto const name = "t" + std::to_string(random() % 60);
        auto const found = volume_->lookup(inode(root_inode), name);
        auto const what = random() % 16;
        if (!found) {
            auto const mode = static_cast<u16>(random() % 8 == 0 ? 040755 : 0100644);
            auto const made = writer().create({ root_inode, name }, { .mode = mode });
            ASSERT_TRUE(made || made.error() == Error::no_space);
            continue;
        }
        if (found->type == FileType::directory || what == 0) {
            ASSERT_TRUE(writer().remove({ root_inode, name },
                found->type == FileType::directory ? Removal::directory : Removal::file));
            sizes.erase(name);
            continue;
        }
        if (what == 1) {
            ASSERT_TRUE(writer().sync());
            continue;
        }
        auto& size = sizes[name];
        auto const bytes = 1 + random() % (6 * block_bytes);
        auto const gap = random() % 4 == 0 ? 3 * block_bytes : 0;
        auto const done = put(found->inode, size + gap, bytes);
        refused += done < bytes;
        if (done > 0)
            size += gap + done;
        ASSERT_FALSE(writer().failed());
    }
    EXPECT_GT(refused, 20u);
    ASSERT_TRUE(writer().sync());
    mount();
    for (auto const& [name, size] : sizes) {
        auto const found = volume_->lookup(inode(root_inode), name);
        ASSERT_TRUE(found);
        EXPECT_EQ(inode(found->inode).size_bytes, size) << name;
    }
    unmount();
}

// Goal: no power cut shows a file longer than what of its bytes is there, also when what waits
// needs more than one transaction; what was synced is all there.
// Method: transactions of few blocks; each file in a group of its own, none of whose bytes is zero;
// every state that a cut leaves is looked at.
TEST_F(DelayedTest, NoSizeGetsToTheDiskBeforeItsBlocks)
{
    options_.running_bytes_max = 56 * block_bytes;
    start("8M", "-O ^flex_bg,^resize_inode -g 256 -N 1024 -J size=1");
    std::vector<u32> files;
    for (u32 each = 0; each < 24; ++each) {
        auto const folder = "d" + std::to_string(each);
        auto const made = writer().create({ root_inode, folder }, { .mode = 040755 }).value();
        files.push_back(writer().create({ made, "file" }, { .mode = 0100644 }).value());
    }
    ASSERT_TRUE(writer().sync());
    volume_.reset();
    auto now = device_->image();
    device_.reset();
    before_ = std::move(now);
    device_ = std::make_unique<RecordingDevice>(before_);
    mount();
    for (u64 turn = 0; turn < 3; ++turn) {
        for (auto const each : files)
            ASSERT_EQ(put(each, turn * 3000, 3000), 3000u);
    }
    auto const epochs = device_->epochs().size();
    ASSERT_TRUE(writer().sync());
    EXPECT_GE(device_->epochs().size(), epochs + 4); // two commits at least
    device_->promise(1);
    ASSERT_TRUE(writer().settle());
    CrashStates states(before_, *device_, { .writes_max_for_all = 6, .samples = 12 });
    states.each([&](CrashState const& state) {
        CowDevice device(state.image);
        CollectedErrors problems;
        MountReport report;
        EXPECT_TRUE(recover(device, problems, report)) << report.refusal;
        auto const summary = check_volume(device, problems, report);
        EXPECT_TRUE(summary && summary->problems == 0) << problems.sentences[0];
        auto volume = Volume::mount(device, problems, report).value();
        for (auto const each : files) {
            auto const found = volume.inode(each).value();
            auto const bytes = read_all(volume, found);
            EXPECT_TRUE(state.promised == 0 || bytes.size() == 9000) << state.name;
            EXPECT_TRUE(
                std::all_of(bytes.begin(), bytes.end(), [](u8 byte) { return byte == mark; }))
                << state.name << ": inode " << each << " of " << bytes.size() << " bytes";
        }
        return !testing::Test::HasFailure();
    });
    EXPECT_GT(states.distinct(), 50u);
    for (auto const each : files)
        EXPECT_EQ(contents(each), std::vector<u8>(9000, mark));
    unmount();
}

// Goal: a device that refuses a write while blocks get their places ends all writing, and loses
// nothing but what was not synced; none of it shows on the disk without its bytes.
// Method: it refuses each write of a sync, in turn, that one or all that follow; then the power is
// cut.
TEST_F(DelayedTest, ADeviceThatRefusesLosesWhatWaits)
{
    make_empty_image(image_, "-b 1024 -m 0", "8M");
    auto const image = read_host_file(image_);
    u64 refusals = 0;
    for (bool refused = true; refused; refusals += refused) {
        MemoryDevice device(image);
        device.failures_left = refusals % 2 == 0 ? 1 : ~u64 { 0 };
        MountReport report;
        CollectedErrors errors;
        auto mounted = Volume::mount_writable(
            device, errors, report, { .now_ns = [this] { return now_ns_ += 1'000'000; } });
        ASSERT_TRUE(mounted) << report.refusal;
        volume_ = std::make_unique<Volume>(std::move(*mounted));
        auto const kept = file("kept");
        ASSERT_EQ(put(kept, 0, 20 * block_bytes), 20 * block_bytes);
        ASSERT_TRUE(writer().sync());
        auto const late = file("late");
        ASSERT_EQ(put(late, 3 * block_bytes, 200 * block_bytes), 200 * block_bytes);
        ASSERT_EQ(put(kept, 20 * block_bytes, 5 * block_bytes), 5 * block_bytes);
        device.fails_at = device.writes + refusals / 2;
        refused = !writer().sync();
        if (refused) {
            EXPECT_TRUE(writer().failed());
            EXPECT_FALSE(writer().sync()) << "after write " << refusals / 2;
            EXPECT_EQ(put(kept, 0, 1), 0u);
            EXPECT_FALSE(errors.sentences.empty());
        }
        volume_.reset();

        device.fails_at.reset();
        CollectedErrors problems;
        ASSERT_TRUE(recover(device, problems, report)) << report.refusal;
        auto const summary = check_volume(device, problems, report);
        EXPECT_TRUE(summary && summary->problems == 0) << problems.sentences[0];
        auto volume = Volume::mount(device, problems, report).value();
        auto const root = volume.inode(root_inode).value();
        auto const found = volume.lookup(root, "late");
        EXPECT_TRUE(found || refused);
        std::vector<u8> expected(203 * block_bytes, mark);
        std::fill_n(expected.begin(), 3 * block_bytes, u8 { 0 });
        if (found) {
            auto const bytes = read_all(volume, volume.inode(found->inode).value());
            EXPECT_TRUE(bytes == expected
                || (refused && bytes.size() <= 3 * block_bytes // no further than the hole
                    && bytes == std::vector<u8>(bytes.size())))
                << bytes.size();
        }
        auto const bytes = read_all(volume, volume.inode(kept).value());
        EXPECT_EQ(bytes, std::vector<u8>(bytes.size(), mark));
        EXPECT_TRUE(
            bytes.size() == 25 * block_bytes || (refused && bytes.size() == 20 * block_bytes));
    }
    EXPECT_GT(refusals, 8u);
}

// Goal: where files are mapped by block pointers blocks are chosen at the write, and all else
// holds.
TEST_F(DelayedTest, BlockPointersDoNotWait)
{
    start("8M", "-t ext3 -m 0");
    auto const made = file("old");
    ASSERT_EQ(put(made, 0, 30 * block_bytes), 30 * block_bytes);
    EXPECT_GE(inode(made).allocated_bytes, 30 * block_bytes);
    EXPECT_EQ(volume_->allocated_bytes(inode(made)), inode(made).allocated_bytes);
    unmount();
}

} // namespace gemel::ext4::test
