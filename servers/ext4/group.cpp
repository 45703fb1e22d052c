// Field offsets and the three layouts (plain, flex_bg, meta_bg): ext4 documentation, "Block Group
// Descriptors" and "Meta Block Groups".
#include "servers/ext4/group.hpp"

#include "servers/ext4/checksum.hpp"

#include <array>

namespace gemel::ext4 {

namespace {

constexpr usize descriptor_bytes_old = 32;
constexpr usize checksum_offset = 0x1E;

// The block of the descriptor table with index `index`.
u64 table_block(Superblock const& super, u32 index)
{
    auto const superblock_block = superblock_offset / super.block_bytes;
    if (!super.has(Incompatible::meta_bg) || index < super.first_meta_group)
        return superblock_block + 1 + index;
    auto const first_group = index * (super.block_bytes / super.descriptor_bytes);
    // 1 KiB blocks counted from 0: the superblock is in block 1 then, not at the group's start.
    u64 const skipped = index == 0 && super.block_bytes == 1024 && super.first_data_block == 0;
    return super.first_block_of_group(first_group) + super.has_backup(first_group) + skipped;
}

} // namespace

u32 group_checksum(Superblock const& super, u32 group, Bytes bytes)
{
    std::array<u8, 2> const gap {};
    auto const before = bytes.first(checksum_offset);
    auto const after = bytes.subspan(checksum_offset + gap.size());
    if (super.has(ReadOnlyCompatible::metadata_csum)) {
        auto const sum = crc32c(crc32c(super.checksum_seed, group), before);
        return crc32c(crc32c(sum, gap), after) & 0xFFFF;
    }
    std::array<u8, 4> const number { static_cast<u8>(group), static_cast<u8>(group >> 8),
        static_cast<u8>(group >> 16), static_cast<u8>(group >> 24) };
    auto const sum = crc16(crc16(crc16(crc16_start, super.uuid), number), before);
    return crc16(sum, after);
}

Result<void> check_group_checksum(Disk& disk, u32 group, u64 block, Bytes bytes)
{
    auto const& super = disk.super();
    if (!super.has(ReadOnlyCompatible::metadata_csum) && !super.has(ReadOnlyCompatible::uninit_bg))
        return {};
    u32 const stored = load16(bytes, checksum_offset);
    auto const computed = group_checksum(super, group, bytes);
    if (stored == computed)
        return {};
    return disk.corrupt("group ", group, ": its descriptor in block ", block, " has checksum ",
        Hex { stored }, " and should have ", Hex { computed });
}

GroupPlace place_of_group(Superblock const& super, u32 group)
{
    auto const per_block = super.block_bytes / super.descriptor_bytes;
    return { table_block(super, group / per_block),
        static_cast<usize>(group % per_block) * super.descriptor_bytes };
}

Result<GroupDescriptor> read_group(Disk& disk, u32 group)
{
    auto const& super = disk.super();
    ASSERT(group < super.groups);
    auto const [block, offset] = place_of_group(super, group);
    auto const held = TRY(disk.metadata(
        block, { Purpose::Kind::group_descriptors }, [](Bytes) { return Result<void> {}; }));
    auto const bytes = Bytes(*held).subspan(offset, super.descriptor_bytes);
    TRY(check_group_checksum(disk, group, block, bytes));

    bool const wide = super.descriptor_bytes > descriptor_bytes_old;
    auto const table = join(load32(bytes, 0x8), wide ? load32(bytes, 0x28) : 0);
    auto const table_blocks
        = (static_cast<u64>(super.inodes_per_group) * super.inode_bytes - 1) / super.block_bytes
        + 1;
    if (!super.holds_block(table) || table_blocks > super.blocks - table) {
        return disk.corrupt("group ", group, ": its descriptor in block ", block,
            " puts the inode table at block ", table, ", outside the volume");
    }
    return GroupDescriptor { table, load16(bytes, 0x12) };
}

} // namespace gemel::ext4
