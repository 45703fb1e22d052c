// Changes of a file's block map, whether it is a tree of extents or block pointers.
#pragma once

#include "servers/ext4/extent_edit.hpp"

namespace gemel::ext4 {

// Whether blocks belong to the inode by a map: not for devices, pipes, short symlinks and inline
// data.
bool maps_blocks(Inode const& inode);
// What a new file's map is before anything is in it: extents where the volume has them.
void start_map(Superblock const& super, Inode& inode);
// How many blocks the map can hold.
u64 mapped_blocks_max(Superblock const& super, Inode const& inode);

// How many of `blocks` from a file block on can be mapped in one step; see prepare_pointers.
Result<u64> prepare_mapping(Disk& disk, Inode& inode, u64 file_block, u64 blocks);

// See insert_extent and remove_last_extent. Unwritten blocks are for extents alone.
Result<void> insert_mapping(Disk& disk, Inode& inode, Extent const& extent);
Result<RemovedExtent> remove_last_mapping(Disk& disk, Inode& inode, u64 first, u64 end);

} // namespace gemel::ext4
