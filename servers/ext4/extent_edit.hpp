// Changes of a file's extent tree. The root lies in the Inode that is given: who calls writes it
// back. Blocks of nodes are counted in its allocated_bytes.
#pragma once

#include "servers/ext4/extent_tree.hpp"

namespace gemel::ext4 {

// Adds an extent where the file has a hole: joined with a neighbour where that is possible.
// Extent::kind zeros means unwritten.
Result<void> insert_extent(Disk& disk, Inode& inode, Extent extent);

// What was cut out of the file: its blocks are still in use on the disk.
struct RemovedExtent {
    u64 disk_block = 0;
    u64 blocks = 0; // 0: nothing is mapped there
};

// Cuts out the last extent in [first, end), or the part of it that lies there.
Result<RemovedExtent> remove_last_extent(Disk& disk, Inode& inode, u64 first, u64 end);

// Unwritten blocks that now hold data; they lie in one extent.
Result<void> mark_written(Disk& disk, Inode& inode, u64 first, u64 count);

} // namespace gemel::ext4
