// Volumes and directories far larger than what the other tests make: sparse images, e2fsck judges.
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u16 regular = 0100644;
constexpr u16 folder_mode = 040755;

// Counts what is asked of an image file.
class CountingDevice final : public BlockDevice {
public:
    explicit CountingDevice(fs::path const& image)
        : file_(image)
    {
    }
    Result<void> read(u64 byte_offset, std::span<u8> target) override
    {
        ++reads;
        return file_.read(byte_offset, target);
    }
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override
    {
        return file_.write(byte_offset, source);
    }
    Result<void> flush() override { return file_.flush(); }
    Result<void> discard(u64, u64 bytes) override
    {
        ++discards;
        discarded += bytes;
        return {};
    }
    u64 size_bytes() const override { return file_.size_bytes(); }

    u64 reads = 0;
    u64 discards = 0;
    u64 discarded = 0;

private:
    FileBlockDevice file_;
};

struct Cost {
    u32 groups;
    u64 mount;
    u64 writing;
    u64 trim;
    u64 discards;
};

// What a mount, some files and a trim cost a new volume of that size, in requests.
Cost cost_of(std::string const& size)
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    make_empty_image(image, "-b 4096 -E nodiscard", size);
    Cost cost {};
    {
        CountingDevice device(image);
        CollectedErrors errors;
        MountReport report;
        auto const volume = Volume::mount_writable(
            device, errors, report, { .now_ns = [] { return i64 { 1'700'000'000'000'000'000 }; } });
        EXPECT_TRUE(volume && volume->writer());
        auto& writer = *volume->writer();
        cost.groups = volume->super().groups;
        cost.mount = std::exchange(device.reads, 0);
        for (int each = 0; each < 20; ++each) {
            auto const name = "file" + std::to_string(each);
            auto const file = writer.create({ root_inode, name }, { .mode = regular }).value();
            EXPECT_TRUE(writer.write(file, 0, std::vector<u8>(300'000, 'x')));
            auto const folder_name = "folder" + std::to_string(each);
            EXPECT_TRUE(writer.create({ root_inode, folder_name }, { .mode = folder_mode }));
        }
        EXPECT_TRUE(writer.sync());
        cost.writing = std::exchange(device.reads, 0);
        EXPECT_TRUE(writer.trim({}));
        cost.trim = device.reads;
        cost.discards = device.discards;
        EXPECT_GT(device.discarded, device.size_bytes() / 2);
        EXPECT_TRUE(writer.unmount());
        EXPECT_TRUE(errors.sentences.empty());
    }
    expect_clean(image);
    return cost;
}

// Goal: in a volume of 64 GiB, and of 1 TiB, a mount reads what it does in a small one, and the
// rest no more than it must: the descriptors once (64 to a block), and of bitmaps those that were
// ever written (of one group in 16).
TEST(LargeVolume, CostsWhatASmallOneDoes)
{
    auto const small = cost_of("256M");
    for (auto const* const size : { "64G", "1T" }) {
        SCOPED_TRACE(size);
        auto const large = cost_of(size);
        EXPECT_LE(large.mount, small.mount + 3);
        EXPECT_LE(large.writing, small.writing + large.groups / 64 + 60);
        EXPECT_LE(large.trim, small.trim + large.groups / 16 + 20);
        EXPECT_LE(large.discards, large.groups + 10);
    }
}

// Goal: with large_dir a hash tree has two levels of nodes below its root, and finds every name.
// Method: long names, three to a block, hard links of one file; every third one goes again.
TEST(LargeDirectory, HasAThirdLevel)
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    make_empty_image(image, "-b 1024 -O large_dir", "64M");
    constexpr u32 count = 40'000; // the kernel's limit of links is 65,000
    auto const name = [](u32 index) {
        auto text = std::to_string(index * 2'654'435'761u);
        return text + std::string(255 - text.size(), '_');
    };
    u32 directory = 0;
    {
        WrittenVolume written(image);
        auto& writer = written.writer();
        directory = writer.create({ root_inode, "d" }, { .mode = folder_mode }).value();
        auto const file = writer.create({ root_inode, "f" }, { .mode = regular }).value();
        for (u32 index = 0; index < count; ++index)
            ASSERT_TRUE(writer.link(file, { directory, name(index) })) << index;
        for (u32 index = 0; index < count; index += 3)
            ASSERT_TRUE(writer.remove({ directory, name(index) }, Removal::file)) << index;
        ASSERT_TRUE(writer.unmount());
    }
    constexpr u64 levels_offset = 24 + 6;
    auto const root = Debugfs(image).blocks(directory)[0] * 1024;
    EXPECT_EQ(read_host_file(image)[root + levels_offset], 2);
    expect_clean(image);
    WrittenVolume written(image);
    auto const inode = *written.volume().inode(directory);
    for (u32 index = 0; index < count; ++index)
        ASSERT_EQ(written.volume().lookup(inode, name(index)).has_value(), index % 3 != 0);
}

} // namespace

} // namespace gemel::ext4::test
