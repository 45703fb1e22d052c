#include "frontends/cli/partition.hpp"

#include <cstdio>
#include <gtest/gtest.h>
#include <unistd.h>
#include <vector>

namespace gemel::cli {
namespace {

constexpr std::uint64_t disk_sectors = 4096;

class Partition : public testing::Test {
protected:
    Partition()
        : file_(std::tmpfile())
        , bytes_(disk_sectors * 512)
    {
    }
    ~Partition() override { std::fclose(file_); }

    void put(std::size_t offset, std::uint64_t value, std::size_t count)
    {
        for (std::size_t each = 0; each < count; ++each)
            bytes_[offset + each] = static_cast<std::uint8_t>(value >> 8 * each);
    }
    void record(std::uint64_t sector, unsigned index, unsigned type, std::uint64_t first,
        std::uint64_t sectors)
    {
        auto const at = sector * 512 + 446 + index * 16;
        put(at + 4, type, 1);
        put(at + 8, first, 4);
        put(at + 12, sectors, 4);
        put(sector * 512 + 510, 0xAA55, 2);
    }
    FoundPartition find(unsigned number)
    {
        auto const wrote = ::pwrite(fileno(file_), bytes_.data(), bytes_.size(), 0);
        EXPECT_EQ(wrote, static_cast<ssize_t>(bytes_.size()));
        return find_partition(fileno(file_), bytes_.size(), number);
    }
    void expect(unsigned number, std::uint64_t first, std::uint64_t sectors)
    {
        auto const found = find(number);
        EXPECT_EQ(found.refusal, "");
        EXPECT_EQ(found.window.offset, first * 512);
        EXPECT_EQ(found.window.bytes, sectors * 512);
    }
    void expect_refusal(unsigned number, std::string_view word)
    {
        EXPECT_NE(find(number).refusal.find(word), std::string::npos) << find(number).refusal;
    }

    std::FILE* file_;
    std::vector<std::uint8_t> bytes_;
};

// Goal: the four partitions of a boot record, and the logical ones behind them, are where it says.
TEST_F(Partition, OfABootRecord)
{
    record(0, 0, 0x83, 64, 100);
    record(0, 2, 0x05, 1000, 2000);
    record(1000, 0, 0x83, 8, 300);
    record(1000, 1, 0x05, 500, 500);
    record(1500, 0, 0x83, 8, 400);
    expect(1, 64, 100);
    expect(5, 1008, 300);
    expect(6, 1508, 400);
    expect_refusal(2, "no partition 2");
    expect_refusal(3, "no partition 3"); // the frame of the logical ones
    expect_refusal(7, "no partition 7");
    expect_refusal(0, "no partition 0");
}

// Goal: a chain of logical partitions that runs in a circle ends.
TEST_F(Partition, OfARecordThatRunsInACircle)
{
    record(0, 0, 0x05, 1000, 2000);
    record(1000, 0, 0x83, 8, 300);
    record(1000, 1, 0x05, 0, 500);
    expect(5, 1008, 300);
    expect_refusal(900, "no partition 900");
}

// Goal: what lies outside the image is refused, and so is an image without a table.
TEST_F(Partition, OutsideOfTheImage)
{
    expect_refusal(1, "no partition table");
    record(0, 0, 0x83, 64, disk_sectors);
    record(0, 1, 0x83, disk_sectors + 1, 8);
    expect_refusal(1, "outside");
    expect_refusal(2, "outside");
}

// Goal: a GUID partition table is read, from its copy when the first one is damaged, and refused
// when both are. Method: a table of one entry whose sum was made by sgdisk's rules.
TEST_F(Partition, OfAGuidTable)
{
    record(0, 0, 0xEE, 1, disk_sectors - 1);
    auto const header = [&](std::uint64_t sector) {
        auto const at = sector * 512;
        std::copy_n("EFI PART", 8, bytes_.begin() + static_cast<std::ptrdiff_t>(at));
        put(at + 12, 92, 4);
        put(at + 72, 2, 8); // where the entries are
        put(at + 80, 4, 4);
        put(at + 84, 128, 4);
        std::uint32_t sum = 0xFFFF'FFFF;
        for (std::size_t each = 0; each < 92; ++each) {
            sum ^= bytes_[at + each];
            for (int bit = 0; bit < 8; ++bit)
                sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xEDB8'8320u : 0);
        }
        put(at + 16, ~sum, 4);
    };
    header(1);
    header(disk_sectors - 1);
    put(2 * 512 + 128, 0x1234, 8); // the second entry's type
    put(2 * 512 + 128 + 32, 2048, 8);
    put(2 * 512 + 128 + 40, 3047, 8);
    expect(2, 2048, 1000);
    expect_refusal(1, "no partition 1");
    expect_refusal(5, "no partition 5");
    bytes_[512 + 80] = 77;
    expect(2, 2048, 1000);
    bytes_[(disk_sectors - 1) * 512 + 80] = 77;
    expect_refusal(2, "damaged");
}

} // namespace
} // namespace gemel::cli
