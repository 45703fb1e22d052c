// Block group descriptors: where a group keeps its inodes.
#pragma once

#include "servers/ext4/disk.hpp"

namespace gemel::ext4 {

struct GroupDescriptor {
    u64 inode_table; // its first block; the whole table lies inside the volume
    u16 flags;

    bool inodes_uninitialised() const { return (flags & 0x1) != 0; }
};

// Reads the descriptor of `group` (below super().groups), checksum verified.
Result<GroupDescriptor> read_group(Disk& disk, u32 group);

} // namespace gemel::ext4
