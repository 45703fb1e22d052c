// Which blocks are used: giving out runs of them near a goal, and taking them back.
#pragma once

#include "servers/ext4/group_table.hpp"

#include <functional>

namespace gemel::ext4 {

struct BlockRun {
    u64 start;
    u64 count;
};

// How many blocks may be promised to such as wait, besides those that are promised already: so many
// can be given out without a commit before.
Result<u64> promisable_blocks(Disk& disk);

// From `goal` on if possible, at least one and at most `count_max` blocks, all in one group. Blocks
// that the last commit still uses are not given out, those that are kept for files that grow only
// when there are no others. Error::no_space when only kept blocks are left.
Result<BlockRun> allocate_blocks(Disk& disk, u64 goal, u64 count_max);

// The same for a block of a file's map, which may be one of the kept ones.
Result<u64> allocate_map_block(Disk& disk, u64 goal);

// The same for block `file_block` of a file that grows: `goal` is behind its block before. What it
// will likely take next is kept for it in memory (Reservations), as much again as it has.
Result<BlockRun> allocate_growing(Disk& disk, u32 inode, u64 file_block, u64 goal, u64 count_max);

// Calls visit(run) for each run of at least `count_min` blocks that are free now, the last commit
// may still use them, in `range`, which lies inside the volume. A run does not cross from one group
// into the next.
Result<void> each_free_run(
    Disk& disk, BlockRun range, u64 count_min, std::function<Result<void>(BlockRun)> const& visit);

// Error::corrupt when one of them is free already.
Result<void> free_blocks(Disk& disk, BlockRun run);

} // namespace gemel::ext4
