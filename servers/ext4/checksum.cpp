// CRC-32C by the processor where it can, else eight bytes at a time (slicing-by-8); CRC-16 one at a
// time.
#include "servers/ext4/checksum.hpp"

#include "servers/ext4/bytes.hpp"

#include <gemel/arch/checksum.hpp>

#include <array>

namespace gemel::ext4 {

namespace {

constexpr usize slices = 8;
using SliceTables = std::array<std::array<u32, 256>, slices>;

constexpr SliceTables make_crc32c_tables()
{
    SliceTables tables {};
    for (u32 byte = 0; byte < 256; ++byte) {
        u32 sum = byte;
        for (int bit = 0; bit < 8; ++bit)
            sum = sum >> 1 ^ ((sum & 1) != 0 ? 0x82F6'3B78u : 0);
        tables[0][byte] = sum;
    }
    for (usize slice = 1; slice < slices; ++slice) {
        for (u32 byte = 0; byte < 256; ++byte) {
            auto const before = tables[slice - 1][byte];
            tables[slice][byte] = before >> 8 ^ tables[0][before & 0xFF];
        }
    }
    return tables;
}

constexpr std::array<u16, 256> make_crc16_table()
{
    std::array<u16, 256> table {};
    for (u32 byte = 0; byte < 256; ++byte) {
        u32 sum = byte;
        for (int bit = 0; bit < 8; ++bit)
            sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xA001u : 0);
        table[byte] = static_cast<u16>(sum);
    }
    return table;
}

// What the top byte of a sum turns into when a byte is taken back.
constexpr std::array<u32, 256> make_crc32c_back_table()
{
    std::array<u32, 256> table {};
    for (u32 byte = 0; byte < 256; ++byte) {
        u32 sum = byte << 24;
        for (int bit = 0; bit < 8; ++bit)
            sum = (sum & 0x8000'0000) != 0 ? (sum ^ 0x82F6'3B78u) << 1 | 1 : sum << 1;
        table[byte] = sum;
    }
    return table;
}

constexpr SliceTables crc32c_tables = make_crc32c_tables();
constexpr std::array<u32, 256> crc32c_back_table = make_crc32c_back_table();
constexpr std::array<u16, 256> crc16_table = make_crc16_table();

} // namespace

u32 crc32c_by_tables(u32 seed, std::span<u8 const> bytes)
{
    auto const& table = crc32c_tables;
    u32 sum = seed;
    while (bytes.size() >= slices) {
        u32 const low = sum ^ load32(bytes, 0);
        u32 const high = load32(bytes, 4);
        sum = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF]
            ^ table[4][low >> 24] ^ table[3][high & 0xFF] ^ table[2][high >> 8 & 0xFF]
            ^ table[1][high >> 16 & 0xFF] ^ table[0][high >> 24];
        bytes = bytes.subspan(slices);
    }
    for (auto const byte : bytes)
        sum = sum >> 8 ^ table[0][(sum ^ byte) & 0xFF];
    return sum;
}

u32 crc32c(u32 seed, std::span<u8 const> bytes)
{
    return arch::has_crc32c() ? arch::crc32c(seed, bytes) : crc32c_by_tables(seed, bytes);
}

u32 crc32c(u32 seed, u32 number)
{
    std::array<u8, 4> const bytes { static_cast<u8>(number), static_cast<u8>(number >> 8),
        static_cast<u8>(number >> 16), static_cast<u8>(number >> 24) };
    return crc32c(seed, bytes);
}

u32 crc32c_before(u32 sum, std::span<u8 const> bytes)
{
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
        sum = sum << 8 ^ crc32c_back_table[sum >> 24] ^ *byte;
    return sum;
}

u16 crc16(u16 seed, std::span<u8 const> bytes)
{
    u32 sum = seed;
    for (auto const byte : bytes)
        sum = sum >> 8 ^ crc16_table[(sum ^ byte) & 0xFF];
    return static_cast<u16>(sum);
}

} // namespace gemel::ext4
