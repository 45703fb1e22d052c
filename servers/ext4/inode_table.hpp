// Inodes as changes see them: written back, made and freed.
#pragma once

#include "servers/ext4/inode.hpp"

namespace gemel::ext4 {

// Writes all that `inode` says into its place; what it does not know of stays as it is. While
// blocks of it wait for their places, the size there may be a smaller one: see WaitingBlocks.
Result<void> write_inode(Disk& disk, Inode const& inode);

struct NewInode {
    u16 mode; // type and permissions
    u32 user;
    u32 group;
    i64 now_ns;
    u32 generation;
};

// A free inode where Placement has it, initialised and written with no links. Error::no_space.
Result<Inode> allocate_inode(Disk& disk, Inode const& parent, NewInode const& made);

// Its blocks must be free already.
Result<void> free_inode(Disk& disk, Inode& inode, i64 now_ns);

Timestamp timestamp_of(i64 now_ns);

} // namespace gemel::ext4
