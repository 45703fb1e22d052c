// The power fails while an error is recorded, or while the volume that has it is recovered.
#include "servers/ext4/recovery.hpp"
#include "servers/ext4/volume_super.hpp"
#include "tests/ext4/crash/cow_device.hpp"
#include "tests/ext4/crash/crash_states.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u32 block_bytes = 1024;
constexpr u8 corrupted = 5; // how the superblock says EFSCORRUPTED

struct Recorded {
    bool with_errors;
    u32 count;
    std::string function;
    u8 code;

    auto operator<=>(Recorded const&) const = default;
};
Recorded const one_error { true, 1, "directory block", corrupted };

Recorded recorded_in(BlockReader& device)
{
    SuperblockBytes bytes {};
    EXPECT_TRUE(device.read(superblock_offset, bytes));
    auto const* const function = reinterpret_cast<char const*>(bytes.data()) + 0x1A8;
    return { (load16(bytes, 0x3A) & 2) != 0, load32(bytes, 0x194),
        std::string(function, ::strnlen(function, 32)), bytes[0x27A] };
}

// Recovers a copy of the state; what is recorded then.
Recorded recovered(DiskView const& image, std::string const& name)
{
    CowDevice device(image);
    CollectedErrors errors;
    MountReport report;
    EXPECT_TRUE(recover(device, errors, report)) << name << ": " << report.refusal;
    EXPECT_TRUE(load_superblock(device, report)) << name << ": " << report.refusal;
    return recorded_in(device);
}

// The recovery of the state is interrupted, too, and begun again.
void expect_errors_after_any_cut(DiskView const& image)
{
    RecordingDevice device(image);
    CollectedErrors errors;
    MountReport report;
    ASSERT_TRUE(recover(device, errors, report)) << report.refusal;
    CrashStates states(image, device, {});
    states.each([&](CrashState const& state) {
        EXPECT_TRUE(recovered(state.image, state.name).with_errors) << state.name;
        return !testing::Test::HasFailure();
    });
}

class ErrorCut : public testing::Test {
protected:
    enum class Log : u8 { empty, has_superblock };

    // A volume that meets a damaged directory.
    void meet_error(Log log)
    {
        auto const path = temporary_.path() / "image";
        make_empty_image(path, "-b 1024", "8M");
        u32 folder = 0;
        {
            WrittenVolume written(path);
            folder = written.writer().create({ root_inode, "folder" }, { .mode = 040755 }).value();
            ASSERT_TRUE(written.writer().unmount());
        }
        spoil(path, Debugfs(path).blocks(folder).at(0) * block_bytes + 300);
        before_ = read_host_file(path);
        device_ = std::make_unique<RecordingDevice>(before_);
        MountReport report;
        CollectedErrors errors;
        i64 now_ns = 1'700'000'000'000'000'000;
        auto volume = Volume::mount_writable(
            *device_, errors, report, { .now_ns = [&] { return now_ns += 1'000'000; } });
        ASSERT_TRUE(volume) << report.refusal;
        if (log == Log::has_superblock)
            ASSERT_TRUE(volume->writer()->create({ root_inode, "kept" }, { .mode = 0100644 }));
        EXPECT_EQ(volume->lookup(*volume->inode(folder), "inside").error(), Error::corrupt);
        EXPECT_EQ(volume->writer()->attend().error(), Error::corrupt);
        EXPECT_EQ(recorded_in(*device_), one_error);
    }

    TemporaryFolder temporary_;
    std::vector<u8> before_;
    std::unique_ptr<RecordingDevice> device_;
};

} // namespace

// Goal: whatever of it reaches the disk, the volume can be recovered, and has the error or not.
TEST_F(ErrorCut, WhileItIsRecorded)
{
    meet_error(Log::has_superblock);
    bool seen = false;
    u32 in_journal_alone = 0;
    CrashStates states(before_, *device_, {});
    states.each([&](CrashState const& state) {
        auto const found = recovered(state.image, state.name);
        seen |= found == one_error;
        CowDevice device(state.image);
        if (found.with_errors && !recorded_in(device).with_errors && in_journal_alone++ == 0)
            expect_errors_after_any_cut(state.image);
        return !HasFailure();
    });
    EXPECT_GT(in_journal_alone, 0u);
    EXPECT_TRUE(seen);
    EXPECT_GT(states.distinct(), 10u);
}

// Goal: the superblock survives where the log has no copy of it.
TEST_F(ErrorCut, WhileTheLogIsEmpty)
{
    meet_error(Log::empty);
    CrashStates states(before_, *device_, {});
    states.each([&](CrashState const& state) {
        static_cast<void>(recovered(state.image, state.name));
        return !HasFailure();
    });
    EXPECT_GT(states.distinct(), 3u);
}

// Goal: the log has an older superblock; its replay forgets nothing, wherever it is interrupted.
TEST_F(ErrorCut, WhileItIsRecovered)
{
    meet_error(Log::has_superblock);
    RecordingDevice replayed(device_->view());
    CollectedErrors errors;
    MountReport report;
    ASSERT_TRUE(recover(replayed, errors, report)) << report.refusal;
    EXPECT_EQ(recorded_in(replayed), one_error);
    CrashStates states(device_->view(), replayed, {});
    states.each([&](CrashState const& state) {
        EXPECT_EQ(recovered(state.image, state.name), one_error) << state.name;
        return !HasFailure();
    });
    EXPECT_GT(states.distinct(), 10u);
}

} // namespace gemel::ext4::test
