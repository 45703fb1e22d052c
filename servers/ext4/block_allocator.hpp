// Which blocks are used: giving out runs of them near a goal, and taking them back.
#pragma once

#include "servers/ext4/group_table.hpp"

namespace gemel::ext4 {

struct BlockRun {
    u64 start;
    u64 count;
};

// From `goal` on if possible, at least one and at most `count_max` blocks, all in one group. Blocks
// that the last commit still uses are not given out. Error::no_space when only reserved blocks are
// left.
Result<BlockRun> allocate_blocks(Disk& disk, u64 goal, u64 count_max);

// Error::corrupt when one of them is free already.
Result<void> free_blocks(Disk& disk, BlockRun run);

} // namespace gemel::ext4
