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

} // namespace gemel::ext4
