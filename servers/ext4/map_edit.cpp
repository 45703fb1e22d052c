#include "servers/ext4/map_edit.hpp"

#include "servers/ext4/block_pointers.hpp"
#include "servers/ext4/pointer_edit.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

// What i_blocks counts in sectors where it has 32 bits, less what the pointers themselves may take.
constexpr u64 small_file_sectors_max = 0xFFFF'FFFF;
constexpr u64 sector_bytes = 512;

} // namespace

bool maps_blocks(Inode const& inode)
{
    if (inode.has(InodeFlag::inline_data))
        return false;
    if (inode.has(InodeFlag::extents))
        return true;
    if (inode.type() == FileType::symbolic_link)
        return inode.size_bytes >= inode_map_bytes;
    return inode.type() == FileType::regular || inode.is_directory();
}

void start_map(Superblock const& super, Inode& inode)
{
    if (!super.has(Incompatible::extent))
        return; // pointers, all of them zero
    constexpr u16 root_entries_max
        = (inode_map_bytes - extent_layout::head_bytes) / extent_layout::entry_bytes;
    inode.flags |= static_cast<u32>(InodeFlag::extents);
    store16(inode.map, 0, extent_layout::node_magic);
    store16(inode.map, 4, root_entries_max);
}

u64 mapped_blocks_max(Superblock const& super, Inode const& inode)
{
    bool const may_get_extents
        = inode.has(InodeFlag::inline_data) && super.has(Incompatible::extent);
    if (inode.has(InodeFlag::extents) || may_get_extents)
        return extent_layout::file_blocks_max - 1;
    auto const by_pointers = pointer_layout::file_blocks_max(super.block_bytes);
    if (super.has(ReadOnlyCompatible::huge_file))
        return std::min(by_pointers, extent_layout::file_blocks_max - 1);
    auto const per_block = super.block_bytes / pointer_layout::pointer_bytes;
    auto const blocks = small_file_sectors_max / (super.block_bytes / sector_bytes);
    auto const of_pointers = 2 + blocks / per_block + blocks / per_block / per_block;
    return std::min(by_pointers, blocks - of_pointers);
}

Result<u64> prepare_mapping(Disk& disk, Inode& inode, u64 file_block, u64 blocks)
{
    if (inode.has(InodeFlag::extents))
        return blocks;
    return std::min(blocks, TRY(prepare_pointers(disk, inode, file_block)));
}

Result<void> insert_mapping(Disk& disk, Inode& inode, Extent const& extent)
{
    if (inode.has(InodeFlag::extents))
        return insert_extent(disk, inode, extent);
    return extent.kind == Run::Kind::data ? insert_by_pointers(disk, inode, extent)
                                          : Result<void>(Error::unsupported);
}

Result<RemovedExtent> remove_last_mapping(Disk& disk, Inode& inode, u64 first, u64 end)
{
    if (inode.has(InodeFlag::extents))
        return remove_last_extent(disk, inode, first, end);
    return remove_last_by_pointers(disk, inode, first, end);
}

} // namespace gemel::ext4
