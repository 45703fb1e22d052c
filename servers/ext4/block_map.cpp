#include "servers/ext4/block_map.hpp"

#include "servers/ext4/block_pointers.hpp"
#include "servers/ext4/extent_tree.hpp"

#include <algorithm>

namespace gemel::ext4 {

Result<Run> find_run(Disk& disk, Inode const& inode, u64 file_block)
{
    ASSERT(!inode.has(InodeFlag::inline_data));
    auto const stretch = disk.waiting().at(inode.number, file_block);
    if (stretch.waits)
        return Run { Run::Kind::waiting, stretch.blocks, 0 };
    auto run = TRY(inode.has(InodeFlag::extents) ? find_run_by_extents(disk, inode, file_block)
                                                 : find_run_by_pointers(disk, inode, file_block));
    run.blocks = std::min(run.blocks, stretch.blocks);
    return run;
}

} // namespace gemel::ext4
