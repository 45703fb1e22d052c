// The map of ext2 and ext3 files: twelve direct pointers, then one, two and three levels of blocks
// of pointers.
#pragma once

#include "servers/ext4/block_map.hpp"

namespace gemel::ext4 {

namespace pointer_layout {
inline constexpr u64 direct_pointers = 12;
inline constexpr u32 levels_max = 3;
inline constexpr usize pointer_bytes = 4;
inline constexpr u64 disk_block_max = 0xFFFF'FFFF;

// File blocks below a pointer of the inode with that many levels of pointer blocks.
constexpr u64 covered_by(u32 block_bytes, u32 levels)
{
    u64 covered = 1;
    for (; levels > 0; --levels)
        covered *= block_bytes / pointer_bytes;
    return covered;
}
// The most that a file's pointers can map.
constexpr u64 file_blocks_max(u32 block_bytes)
{
    return direct_pointers + covered_by(block_bytes, 1) + covered_by(block_bytes, 2)
        + covered_by(block_bytes, 3);
}
} // namespace pointer_layout

inline Purpose purpose_of_pointers(Inode const& inode)
{
    return { Purpose::Kind::block_pointers, 0, inode.number };
}
Result<BlockRef> load_pointers(Disk& disk, Inode const& inode, u64 block);

// See find_run.
Result<Run> find_run_by_pointers(Disk& disk, Inode const& inode, u64 file_block);

} // namespace gemel::ext4
