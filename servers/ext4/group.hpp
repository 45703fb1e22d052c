// Block group descriptors: where a group keeps its inodes.
#pragma once

#include "servers/ext4/disk.hpp"

namespace gemel::ext4 {

struct GroupDescriptor {
    u64 inode_table; // its first block; the whole table lies inside the volume
    u16 flags;

    bool inodes_uninitialised() const { return (flags & 0x1) != 0; }
};

// Where the descriptor of `group` lies.
struct GroupPlace {
    u64 block;
    usize offset;
};
GroupPlace place_of_group(Superblock const& super, u32 group);

// The checksum that the descriptor `bytes` should have; Error::corrupt when it has another.
u32 group_checksum(Superblock const& super, u32 group, Bytes bytes);
Result<void> check_group_checksum(Disk& disk, u32 group, u64 block, Bytes bytes);

// Reads the descriptor of `group` (below super().groups), checksum verified.
Result<GroupDescriptor> read_group(Disk& disk, u32 group);

} // namespace gemel::ext4
