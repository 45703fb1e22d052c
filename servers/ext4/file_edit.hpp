// Changes of one file's contents and block map, each small enough for one operation. The inode
// changes with them: who calls writes it back. What is written where the file has no blocks waits
// for its place in memory (WaitingBlocks); other contents go straight to the device, before the
// commit that refers to them.
#pragma once

#include "servers/ext4/inode.hpp"

namespace gemel::ext4 {

// A part of one step is at most this long.
inline constexpr usize piece_bytes_max = 1 << 20;

// The greatest size of this file: what its map can hold.
u64 file_bytes_max(Superblock const& super, Inode const& inode);

// When blocks are chosen for what is written into a hole: now, or when it cannot wait any longer.
enum class Placing : u8 { now, later };

// Writes the first part of `source` at `offset` and gives its length. The size grows with it. 0:
// nothing was done, the file's waiting blocks must have their places before.
Result<usize> write_piece(Disk& disk, Inode& inode, u64 offset, Bytes source);

// The same for a file whose contents are in blocks, and stay there.
Result<usize> write_mapped_piece(
    Disk& disk, Inode& inode, u64 offset, Bytes source, Placing placing);

// Whether all of a piece of work was done, or another operation must go on with it.
enum class Progress : u8 { done, more };

// Gives the first of the file's waiting blocks their places, some in each step.
Result<Progress> place_some_waiting(Disk& disk, Inode& inode);

// Lets go of blocks in [first, end) of the file, first of all that wait, then from the back, some
// in each step. Blocks of directories are metadata.
Result<Progress> free_some_blocks(Disk& disk, Inode& inode, u64 first, u64 end);

// Zeros in the bytes [from, to) of blocks that hold data; holes stay.
Result<void> zero_bytes(Disk& disk, Inode const& inode, u64 from, u64 to);

// Gives the first hole in [first, end) unwritten blocks; of files with extents.
Result<Progress> fill_first_hole(Disk& disk, Inode& inode, u64 first, u64 end);

// Makes the last data blocks in [first, end) unwritten ones.
Result<Progress> unwrite_last_data(Disk& disk, Inode& inode, u64 first, u64 end);

} // namespace gemel::ext4
