#include "servers/ext4/journal_format.hpp"

#include <array>
#include <gtest/gtest.h>

namespace gemel::ext4::journal {

namespace {

// Goal: the journal's numbers are big-endian both ways.
// Method: store the magic, look at its bytes, load it again.
TEST(JournalFormat, BigEndian)
{
    std::array<u8, 8> bytes {};
    store_be32(bytes, 0, magic);
    EXPECT_EQ(bytes, (std::array<u8, 8> { 0xC0, 0x3B, 0x39, 0x98 }));
    EXPECT_EQ(load_be32(bytes, 0), magic);
    EXPECT_EQ(load_be16(bytes, 2), 0x3998);
    EXPECT_EQ(load_be64(bytes, 0), 0xC03B'3998'0000'0000);
}

// Goal: sequence numbers keep their order when they wrap around.
TEST(JournalFormat, SequencesWrap)
{
    EXPECT_TRUE(not_before(5, 5));
    EXPECT_TRUE(not_before(6, 5));
    EXPECT_FALSE(not_before(4, 5));
    EXPECT_TRUE(not_before(2, 0xFFFF'FFFE));
    EXPECT_FALSE(not_before(0xFFFF'FFFE, 2));
}

} // namespace

} // namespace gemel::ext4::journal
