// Changes of a file's block pointers, direct and indirect. The first pointers lie in the Inode that
// is given: who calls writes it back. Blocks of pointers are counted in its allocated_bytes.
#pragma once

#include "servers/ext4/extent_edit.hpp"

namespace gemel::ext4 {

// Makes the blocks of pointers that a file block needs, and gives how many file blocks from it on
// need no others. So that what little space is left is not promised to data alone.
Result<u64> prepare_pointers(Disk& disk, Inode& inode, u64 file_block);

// Maps a hole of the file to data. Error::no_space for blocks that 32 bits cannot name.
Result<void> insert_by_pointers(Disk& disk, Inode& inode, Extent const& extent);

// Cuts out the last stretch of consecutive blocks in [first, end), or the part of it that one block
// of pointers holds; blocks of pointers that hold nothing any more are freed with it.
Result<RemovedExtent> remove_last_by_pointers(Disk& disk, Inode& inode, u64 first, u64 end);

} // namespace gemel::ext4
