// The two checksums of ext4. Neither inverts its result; a seed continues an earlier sum.
#pragma once

#include "core/base/types.hpp"

#include <span>

namespace gemel::ext4 {

// CRC-32C (Castagnoli), reflected.
u32 crc32c(u32 seed, std::span<u8 const> bytes);
// The same, without the processor's help.
u32 crc32c_by_tables(u32 seed, std::span<u8 const> bytes);

// Continues a sum over a number as the disk keeps it, little-endian.
u32 crc32c(u32 seed, u32 number);

// Backwards: the seed that gives `sum` over the bytes.
u32 crc32c_before(u32 sum, std::span<u8 const> bytes);

// CRC-16 (polynomial 0x8005), reflected: group descriptors before metadata_csum.
u16 crc16(u16 seed, std::span<u8 const> bytes);

inline constexpr u32 crc32c_start = 0xFFFF'FFFF;
inline constexpr u16 crc16_start = 0xFFFF;

} // namespace gemel::ext4
