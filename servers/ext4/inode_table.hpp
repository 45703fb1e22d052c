// Inodes as changes see them: written back, made and freed.
#pragma once

#include "servers/ext4/inode.hpp"

namespace gemel::ext4 {

// Writes all that `inode` says into its place; what it does not know of stays as it is.
Result<void> write_inode(Disk& disk, Inode const& inode);

struct NewInode {
    u16 mode; // type and permissions
    u32 user;
    u32 group;
    i64 now_ns;
    u32 generation;
};

// A free inode near its directory (directories of the root are spread), initialised and written
// with no links. Error::no_space.
Result<Inode> allocate_inode(Disk& disk, u32 directory, NewInode const& made);

// Its blocks must be free already.
Result<void> free_inode(Disk& disk, Inode& inode, i64 now_ns);

Timestamp timestamp_of(i64 now_ns);

// The list of inodes without a name that still have blocks (ext4 documentation, "Super Block":
// s_last_orphan): a mount after a power cut frees them. Both write the inode.
Result<void> add_orphan(Disk& disk, Inode& inode);
Result<void> remove_orphan(Disk& disk, Inode& inode);

} // namespace gemel::ext4
