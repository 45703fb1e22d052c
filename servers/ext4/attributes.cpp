#include "servers/ext4/attributes.hpp"

#include "servers/ext4/block_allocator.hpp"
#include "servers/ext4/checksum.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4 {

namespace {

constexpr u32 attributes_magic = 0xEA02'0000;
constexpr usize count_offset = 0x4; // of the inodes that share the block
constexpr usize checksum_offset = 0x10;

u32 block_checksum(Superblock const& super, u64 block, Bytes bytes)
{
    std::array<u8, 4> const gap {};
    auto const seed = crc32c(
        crc32c(super.checksum_seed, static_cast<u32>(block)), static_cast<u32>(block >> 32));
    auto const sum = crc32c(crc32c(seed, bytes.first(checksum_offset)), gap);
    return crc32c(sum, bytes.subspan(checksum_offset + gap.size()));
}

Result<void> check_block(Disk& disk, Inode const& inode, Bytes bytes)
{
    auto const block = inode.attribute_block;
    if (load32(bytes, 0) != attributes_magic || load32(bytes, count_offset) == 0) {
        return disk.corrupt(
            "inode ", inode.number, ": block ", block, " holds no extended attributes");
    }
    if (!disk.super().has(ReadOnlyCompatible::metadata_csum))
        return {};
    auto const stored = load32(bytes, checksum_offset);
    auto const computed = block_checksum(disk.super(), block, bytes);
    if (stored == computed)
        return {};
    return disk.corrupt("inode ", inode.number, ": attribute block ", block, " has checksum ",
        Hex { stored }, " and should have ", Hex { computed });
}

} // namespace

Result<void> release_attribute_block(Disk& disk, Inode& inode)
{
    auto const block = inode.attribute_block;
    if (block == 0)
        return {};
    auto const bytes = TRY(disk.change(block, { Purpose::Kind::attributes },
        [&](Bytes held) { return check_block(disk, inode, held); }));
    inode.attribute_block = 0;
    inode.allocated_bytes -= std::min<u64>(inode.allocated_bytes, disk.super().block_bytes);
    auto const count = load32(bytes, count_offset);
    if (count == 1) {
        disk.forget(block);
        return free_blocks(disk, { block, 1 });
    }
    store32(bytes, count_offset, count - 1);
    if (disk.super().has(ReadOnlyCompatible::metadata_csum))
        store32(bytes, checksum_offset, block_checksum(disk.super(), block, bytes));
    return {};
}

} // namespace gemel::ext4
