// Group descriptors, and the places that the volume keeps for itself (ext4 documentation, "Block
// Group Descriptors", "Layout").
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4::check {

namespace {

constexpr usize checksum_offset = 0x1E;
constexpr usize descriptor_bytes_wide = 64;

struct Layout {
    u32 per_block; // descriptors
    u32 table_blocks; // of descriptors that follow a superblock
    u32 reserved_blocks; // behind them, for growing
};

Layout layout_of(VolumeCheck const& check)
{
    auto const& super = check.super;
    auto const per_block = super.block_bytes / super.descriptor_bytes;
    auto const all = (super.groups - 1) / per_block + 1;
    if (super.has(Incompatible::meta_bg))
        return { per_block, std::min(super.first_meta_group, all), 0 };
    return { per_block, all, load16(check.super_bytes, 0xCE) };
}

bool in_meta_group(Superblock const& super, Layout const& layout, u32 group)
{
    return super.has(Incompatible::meta_bg) && group / layout.per_block >= super.first_meta_group;
}

// Where the descriptors of `group` lie.
u64 descriptor_block(VolumeCheck const& check, Layout const& layout, u32 group)
{
    auto const& super = check.super;
    auto const index = group / layout.per_block;
    if (!in_meta_group(super, layout, group))
        return superblock_offset / super.block_bytes + 1 + index;
    auto const first = index * layout.per_block;
    return super.first_block_of_group(first) + super.has_backup(first);
}

u32 computed_checksum(Superblock const& super, u32 group, Bytes bytes)
{
    std::array<u8, 2> const gap {};
    auto const before = bytes.first(checksum_offset);
    auto const after = bytes.subspan(checksum_offset + gap.size());
    if (super.has(ReadOnlyCompatible::metadata_csum)) {
        auto const sum = crc32c(crc32c(super.checksum_seed, group), before);
        return crc32c(crc32c(sum, gap), after) & 0xFFFF;
    }
    std::array<u8, 4> number {};
    store32(number, 0, group);
    return crc16(crc16(crc16(crc16(crc16_start, super.uuid), number), before), after);
}

Group parse(Superblock const& super, Bytes bytes)
{
    bool const wide = super.descriptor_bytes >= descriptor_bytes_wide;
    auto const number = [&](usize low, usize high) {
        return join(load32(bytes, low), wide ? load32(bytes, high) : 0);
    };
    auto const count = [&](usize low, usize high) {
        return load16(bytes, low) | static_cast<u32>(wide ? load16(bytes, high) : 0) << 16;
    };
    return { number(0x0, 0x20), number(0x4, 0x24), number(0x8, 0x28), count(0xC, 0x2C),
        count(0xE, 0x2E), count(0x10, 0x30), count(0x1C, 0x32), load16(bytes, 0x12),
        count(0x18, 0x38), count(0x1A, 0x3A) };
}

u64 table_blocks(Superblock const& super)
{
    return (static_cast<u64>(super.inodes_per_group) * super.inode_bytes - 1) / super.block_bytes
        + 1;
}

bool has_sums(Superblock const& super)
{
    return super.has(ReadOnlyCompatible::metadata_csum) || super.has(ReadOnlyCompatible::uninit_bg);
}

void claim_backups(VolumeCheck& check, Layout const& layout, u32 group)
{
    auto const& super = check.super;
    auto const start = super.first_block_of_group(group);
    bool const backup = super.has_backup(group);
    if (backup)
        check.claim(start, 0);
    if (!in_meta_group(super, layout, group)) {
        u64 const count = backup ? layout.table_blocks + layout.reserved_blocks : 0;
        for (u64 each = 0; each < count && start + 1 + each < super.blocks; ++each)
            check.claim(start + 1 + each, 0);
        return;
    }
    auto const within = group % layout.per_block;
    if (within == 0 || within == 1 || within == layout.per_block - 1)
        check.claim(start + backup, 0);
}

void claim_tables(VolumeCheck& check, u32 number, Group& group)
{
    auto const& super = check.super;
    auto const tables = table_blocks(super);
    auto const fits = [&](u64 block, u64 count) {
        return super.holds_block(block) && count <= super.blocks - block;
    };
    if (!fits(group.block_bitmap, 1) || !fits(group.inode_bitmap, 1)
        || !fits(group.inode_table, tables)) {
        check.problem("group ", number, ": its bitmaps (blocks ", group.block_bitmap, " and ",
            group.inode_bitmap, ") or its inode table (from block ", group.inode_table,
            ") lie outside the volume");
        group.usable = false;
        return;
    }
    check.claim(group.block_bitmap, 0);
    check.claim(group.inode_bitmap, 0);
    for (u64 each = 0; each < tables; ++each)
        check.claim(group.inode_table + each, 0);
}

} // namespace

Result<void> check_groups(VolumeCheck& check)
{
    auto const& super = check.super;
    auto const layout = layout_of(check);
    std::vector<u8> block(super.block_bytes);
    u64 held = ~0ull;
    for (u32 number = 0; number < super.groups; ++number) {
        auto const place = descriptor_block(check, layout, number);
        if (place != held)
            TRY(check.read(place, block));
        held = place;
        auto const within = number % layout.per_block * super.descriptor_bytes;
        auto const bytes = Bytes(block).subspan(within, super.descriptor_bytes);
        auto const offset = check.place_of_block(place) + within;
        u32 const stored = load16(bytes, checksum_offset);
        if (has_sums(super) && stored != computed_checksum(super, number, bytes)) {
            auto const wanted = computed_checksum(super, number, bytes);
            check.repairable(Remedy::checksum, { patch16(offset + checksum_offset, wanted) },
                "group ", number, ": its descriptor in block ", place, " has the checksum ",
                Hex { stored }, " and should have ", Hex { wanted });
        }
        auto group = parse(super, bytes);
        group.place = offset;
        if (!has_sums(super)) {
            group.flags = 0;
            group.unused_inodes = 0;
        }
        if (group.unused_inodes > super.inodes_per_group) {
            check.problem("group ", number, ": it has ", group.unused_inodes, " unused inodes of ",
                super.inodes_per_group);
            group.unused_inodes = 0;
        }
        claim_backups(check, layout, number);
        claim_tables(check, number, group);
        check.groups.push_back(group);
    }
    // Volumes with multi-mount protection keep a block for it.
    if (super.has(Incompatible::mmp))
        check.claim(join(load32(check.super_bytes, 0x168), load32(check.super_bytes, 0x16C)), 0);
    return {};
}

} // namespace gemel::ext4::check
