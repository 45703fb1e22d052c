// The map of ext2 and ext3 files: twelve direct pointers, then one, two and three levels of blocks
// of pointers.
#pragma once

#include "servers/ext4/block_map.hpp"

namespace gemel::ext4 {

// See find_run.
Result<Run> find_run_by_pointers(Disk& disk, Inode const& inode, u64 file_block);

} // namespace gemel::ext4
