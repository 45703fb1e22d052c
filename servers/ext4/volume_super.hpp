// The superblock from its place on a device.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/ext4/superblock.hpp"

namespace gemel::ext4 {

using SuperblockBytes = std::array<u8, superblock_bytes>;

// Reads and parses it. What the device holds instead is named in the report.
Result<Superblock> load_superblock(
    BlockReader& device, MountReport& report, SuperblockSum sum = SuperblockSum::enforced);

// Makes the checksum fit after a change of the first half, if the volume has one, without changing
// the second half: so the superblock survives being cut in two.
void seal_superblock(std::span<u8> bytes);
// The same after a change of the second half alone, or where being cut in two does no harm.
void seal_superblock_behind(std::span<u8> bytes);

// What the superblock says of errors that were met: how often, the first and the last of them.
namespace error_state {
inline constexpr usize count = 0x194;
inline constexpr usize end = 0x200; // of all but the codes
inline constexpr usize first_code = 0x27A;
inline constexpr usize last_code = 0x27B;
} // namespace error_state

} // namespace gemel::ext4
