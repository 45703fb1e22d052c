// What is summed: ext4 documentation, "Journal (jbd2)", "Descriptor Block", "Commit Block".
#include "servers/ext4/journal_checksum.hpp"

#include "servers/ext4/checksum.hpp"

#include <array>

namespace gemel::ext4 {

namespace {

constexpr std::array<u32, 256> make_table()
{
    std::array<u32, 256> table {};
    for (u32 byte = 0; byte < 256; ++byte) {
        u32 sum = byte << 24;
        for (int bit = 0; bit < 8; ++bit)
            sum = sum << 1 ^ ((sum & 0x8000'0000) != 0 ? 0x04C1'1DB7u : 0);
        table[byte] = sum;
    }
    return table;
}

constexpr std::array<u32, 256> table = make_table();

// The sum over the block with four zero bytes at `offset`.
u32 sum_around(JournalSuper const& super, Bytes block, usize offset)
{
    std::array<u8, 4> const gap {};
    auto const sum = crc32c(crc32c(super.checksum_seed, block.first(offset)), gap);
    return crc32c(sum, block.subspan(offset + gap.size()));
}

} // namespace

u32 crc32_plain(u32 seed, Bytes bytes)
{
    u32 sum = seed;
    for (auto const byte : bytes)
        sum = sum << 8 ^ table[sum >> 24 ^ byte];
    return sum;
}

u32 journal_tail_checksum(JournalSuper const& super, Bytes block)
{
    return sum_around(super, block, block.size() - journal::tail_bytes);
}

u32 journal_commit_checksum(JournalSuper const& super, Bytes block)
{
    return sum_around(super, block, journal::commit::checksum);
}

u32 journal_data_checksum(JournalSuper const& super, u32 sequence, Bytes block)
{
    std::array<u8, 4> number {};
    journal::store_be32(number, 0, sequence);
    auto const sum = crc32c(crc32c(super.checksum_seed, number), block);
    return super.checksum == JournalChecksum::v2 ? sum & 0xFFFF : sum;
}

} // namespace gemel::ext4
