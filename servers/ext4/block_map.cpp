#include "servers/ext4/block_map.hpp"

#include "servers/ext4/block_pointers.hpp"
#include "servers/ext4/extent_tree.hpp"

namespace gemel::ext4 {

Result<Run> find_run(Disk& disk, Inode const& inode, u64 file_block)
{
    ASSERT(!inode.has(InodeFlag::inline_data));
    if (inode.has(InodeFlag::extents))
        return find_run_by_extents(disk, inode, file_block);
    return find_run_by_pointers(disk, inode, file_block);
}

} // namespace gemel::ext4
