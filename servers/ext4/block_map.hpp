// Where a file's blocks lie on the device.
#pragma once

#include "servers/ext4/inode.hpp"

namespace gemel::ext4 {

// A stretch of a file: `blocks` (at least one) of it from the block that was asked for.
struct Run {
    enum class Kind : u8 {
        data, // consecutive on the device from `disk_block` on
        zeros, // a hole, or reserved and never written
        waiting, // in WaitingBlocks: not on the device yet
    };

    Kind kind;
    u64 blocks;
    u64 disk_block;
};

// The run at `file_block` of a file whose contents are not inline. Data runs lie inside the volume.
// Error::corrupt for a damaged map; the device's errors pass through.
Result<Run> find_run(Disk& disk, Inode const& inode, u64 file_block);

} // namespace gemel::ext4
