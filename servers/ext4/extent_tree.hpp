// The map of ext4 files: a tree of extents whose root is in the inode.
#pragma once

#include "servers/ext4/block_map.hpp"

namespace gemel::ext4 {

// See find_run.
Result<Run> find_run_by_extents(Disk& disk, Inode const& inode, u64 file_block);

} // namespace gemel::ext4
