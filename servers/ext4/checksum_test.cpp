#include "servers/ext4/checksum.hpp"

#include <gtest/gtest.h>
#include <string_view>
#include <vector>

namespace gemel::ext4 {

namespace {

std::vector<u8> bytes_of(std::string_view text)
{
    return { text.begin(), text.end() };
}

// Goal: the sums are the published ones. Method: the check values of the CRC catalogues, which
// for CRC-32C invert the result.
TEST(Checksum, HasTheCatalogueCheckValues)
{
    auto const digits = bytes_of("123456789");
    EXPECT_EQ(~crc32c(crc32c_start, digits), 0xE306'9283u);
    EXPECT_EQ(crc16(0, digits), 0xBB3D);
    EXPECT_EQ(crc16(crc16_start, digits), 0x4B37);
}

// Goal: eight bytes at a time sum up as one at a time. Method: every length and split of a buffer.
TEST(Checksum, DoesNotDependOnPieces)
{
    std::vector<u8> bytes(67);
    for (usize each = 0; each < bytes.size(); ++each)
        bytes[each] = static_cast<u8>(each * 37 + 11);
    for (usize length = 0; length <= bytes.size(); ++length) {
        u32 single = crc32c_start;
        for (usize each = 0; each < length; ++each)
            single = crc32c(single, std::span(bytes).subspan(each, 1));
        for (usize split = 0; split <= length; ++split) {
            auto const first = crc32c(crc32c_start, std::span(bytes).first(split));
            EXPECT_EQ(crc32c(first, std::span(bytes).subspan(split, length - split)), single);
        }
    }
}

// Goal: the processor and the tables agree.
TEST(Checksum, IsTheSameByTables)
{
    std::vector<u8> bytes(4099);
    for (usize each = 0; each < bytes.size(); ++each)
        bytes[each] = static_cast<u8>(each * each + each / 7);
    for (usize const length : { 0u, 1u, 7u, 8u, 9u, 1020u, 4096u, 4099u }) {
        auto const part = std::span(bytes).first(length);
        EXPECT_EQ(crc32c(0x1234'5678, part), crc32c_by_tables(0x1234'5678, part)) << length;
    }
}

// Goal: a number sums up as its little-endian bytes.
TEST(Checksum, TakesNumbersLittleEndian)
{
    std::vector<u8> const bytes { 0x78, 0x56, 0x34, 0x12 };
    EXPECT_EQ(crc32c(7, 0x1234'5678u), crc32c(7, bytes));
}

// Goal: a sum can be followed back to where it began.
TEST(Checksum, Crc32cBackwards)
{
    std::array<u8, 77> bytes {};
    for (usize each = 0; each < bytes.size(); ++each)
        bytes[each] = static_cast<u8>(each * 37 + 5);
    for (u32 const seed : { 0u, 1u, 0xFFFF'FFFFu, 0x1234'5678u })
        EXPECT_EQ(crc32c_before(crc32c(seed, bytes), bytes), seed);
}

} // namespace

} // namespace gemel::ext4
