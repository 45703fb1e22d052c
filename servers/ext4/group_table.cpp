// Bitmaps that were never written (uninit_bg) are made up from what the group is known to hold: the
// ext4 documentation, "Block and Inode Bitmaps" and "Block Group Descriptors".
#include "servers/ext4/group_table.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/group.hpp"
#include "servers/ext4/volume_super.hpp"

#include <algorithm>
#include <functional>

namespace gemel::ext4 {

namespace {

constexpr usize descriptor_bytes_old = 32;
constexpr Purpose superblock_purpose { Purpose::Kind::superblock };
constexpr auto accept_any = [](Bytes) { return Result<void> {}; };

void set_bit(std::span<u8> bitmap, u64 bit)
{
    bitmap[bit / 8] = static_cast<u8>(bitmap[bit / 8] | 1u << bit % 8);
}

u64 superblock_block(Superblock const& super)
{
    return superblock_offset / super.block_bytes;
}

Purpose purpose_of(BitmapKind kind, u32 group)
{
    return { kind == BitmapKind::blocks ? Purpose::Kind::block_bitmap : Purpose::Kind::inode_bitmap,
        0, group };
}

usize summed_bytes(Superblock const& super, BitmapKind kind)
{
    return (kind == BitmapKind::blocks ? super.blocks_per_group : super.inodes_per_group) / 8;
}

GroupField sum_field(BitmapKind kind)
{
    return kind == BitmapKind::blocks ? group_field::block_bitmap_sum
                                      : group_field::inode_bitmap_sum;
}

// Marks what of [first, first + count) lies in the group.
void mark_run(Superblock const& super, u32 group, std::span<u8> bitmap, u64 first, u64 count)
{
    auto const start = super.first_block_of_group(group);
    auto const end = start + blocks_in_group(super, group);
    for (auto block = std::max(first, start); block < std::min(first + count, end); ++block)
        set_bit(bitmap, block - start);
}

// They never change while a volume is mounted.
Result<MetadataPlaces const*> metadata_places(Disk& disk)
{
    auto const& super = disk.super();
    if (disk.metadata_places().known())
        return &disk.metadata_places();
    auto const table_blocks
        = (static_cast<u64>(super.inodes_per_group) * super.inode_bytes + super.block_bytes - 1)
        / super.block_bytes;
    MetadataPlaces places;
    auto const add = [&](u64 first, u64 count) {
        if (first < super.blocks)
            places.add({ first, std::min(count, super.blocks - first) });
    };
    for (u32 group = 0; group < super.groups; ++group) {
        auto const descriptor = TRY(load_group(disk, group));
        add(load_field(descriptor, group_field::block_bitmap), 1);
        add(load_field(descriptor, group_field::inode_bitmap), 1);
        add(load_field(descriptor, group_field::inode_table), table_blocks);
    }
    places.complete();
    disk.metadata_places() = std::move(places);
    return &disk.metadata_places();
}

// What a block bitmap that was never written would hold: the group's copy of superblock and
// descriptors, and the bitmaps and tables of any group that lie here (flex_bg).
Result<void> mark_own_metadata(Disk& disk, u32 group, std::span<u8> bitmap)
{
    auto const& super = disk.super();
    auto const start = super.first_block_of_group(group);
    auto const per_block = super.block_bytes / super.descriptor_bytes;
    bool const meta
        = super.has(Incompatible::meta_bg) && group / per_block >= super.first_meta_group;
    if (super.has_backup(group)) {
        u64 const table = super.has(Incompatible::meta_bg)
            ? super.first_meta_group
            : (super.groups + per_block - 1) / per_block;
        mark_run(super, group, bitmap, start, meta ? 1 : 1 + table + super.reserved_table_blocks);
    }
    if (meta) {
        auto const place = group % per_block;
        if (place == 0 || place == 1 || place == per_block - 1)
            mark_run(super, group, bitmap, start + super.has_backup(group), 1);
    }
    auto const end = start + blocks_in_group(super, group);
    TRY(metadata_places(disk))->each(start, end, [&](MetadataPlaces::Run run) {
        mark_run(super, group, bitmap, run.first, run.count);
    });
    return {};
}

Result<std::vector<u8>> initial_bitmap(Disk& disk, u32 group, BitmapKind kind)
{
    auto const& super = disk.super();
    std::vector<u8> bitmap(super.block_bytes);
    if (kind == BitmapKind::blocks)
        TRY(mark_own_metadata(disk, group, bitmap));
    u64 const used
        = kind == BitmapKind::blocks ? blocks_in_group(super, group) : super.inodes_per_group;
    for (u64 bit = used; bit < bitmap.size() * 8; ++bit)
        set_bit(bitmap, bit);
    return bitmap;
}

bool was_never_written(Superblock const& super, Bytes descriptor, BitmapKind kind)
{
    auto const flag = kind == BitmapKind::blocks ? GroupFlag::blocks_uninitialised
                                                 : GroupFlag::inodes_uninitialised;
    return has_group_sums(super) && has_flag(descriptor, flag);
}

u64 bitmap_block(Bytes descriptor, BitmapKind kind)
{
    return load_field(descriptor,
        kind == BitmapKind::blocks ? group_field::block_bitmap : group_field::inode_bitmap);
}

u32 bitmap_sum(Superblock const& super, BitmapKind kind, Bytes bitmap)
{
    auto const sum = crc32c(super.checksum_seed, bitmap.first(summed_bytes(super, kind)));
    return super.descriptor_bytes > descriptor_bytes_old ? sum : sum & 0xFFFF;
}

auto bitmap_check(Disk& disk, u32 group, BitmapKind kind, Bytes descriptor)
{
    return [&disk, group, kind, descriptor](Bytes bitmap) -> Result<void> {
        auto const& super = disk.super();
        if (!super.has(ReadOnlyCompatible::metadata_csum))
            return {};
        auto const stored = load_field(descriptor, sum_field(kind));
        auto const computed = bitmap_sum(super, kind, bitmap);
        if (stored == computed)
            return {};
        return disk.corrupt("group ", group, ": its bitmap of ",
            std::string_view(kind == BitmapKind::blocks ? "blocks" : "inodes"), " in block ",
            bitmap_block(descriptor, kind), " has checksum ", Hex { stored }, " and should have ",
            Hex { computed });
    };
}

Result<void> check_place(Disk& disk, u32 group, u64 block)
{
    if (disk.super().holds_block(block))
        return {};
    return disk.corrupt(
        "group ", group, ": its descriptor puts a bitmap at block ", block, ", outside the volume");
}

} // namespace

u64 load_field(Bytes descriptor, GroupField field)
{
    bool const wide = descriptor.size() > descriptor_bytes_old;
    if (field.bits == 32)
        return join(load32(descriptor, field.low), wide ? load32(descriptor, field.high) : 0);
    u32 const high = wide ? load16(descriptor, field.high) : 0;
    return load16(descriptor, field.low) | high << 16;
}

void store_field(std::span<u8> descriptor, GroupField field, u64 value)
{
    ASSERT(field.bits == 16);
    store16(descriptor, field.low, static_cast<u16>(value));
    if (descriptor.size() > descriptor_bytes_old)
        store16(descriptor, field.high, static_cast<u16>(value >> 16));
}

u32 blocks_in_group(Superblock const& super, u32 group)
{
    auto const left = super.blocks - super.first_block_of_group(group);
    return static_cast<u32>(std::min<u64>(super.blocks_per_group, left));
}

Result<std::vector<u8>> load_group(Disk& disk, u32 group)
{
    auto const& super = disk.super();
    ASSERT(group < super.groups);
    auto const [block, offset] = place_of_group(super, group);
    auto const held = TRY(disk.metadata(block, { Purpose::Kind::group_descriptors }, accept_any));
    auto const bytes = Bytes(*held).subspan(offset, super.descriptor_bytes);
    TRY(check_group_checksum(disk, group, block, bytes));
    return std::vector<u8>(bytes.begin(), bytes.end());
}

Result<void> edit_group(Disk& disk, u32 group, std::function<void(std::span<u8>)> const& edit)
{
    auto const& super = disk.super();
    auto const [block, offset] = place_of_group(super, group);
    auto const held = TRY(disk.change(block, { Purpose::Kind::group_descriptors }, accept_any));
    auto const bytes = held.subspan(offset, super.descriptor_bytes);
    TRY(check_group_checksum(disk, group, block, bytes));
    edit(bytes);
    if (has_group_sums(super))
        store16(bytes, 0x1E, static_cast<u16>(group_checksum(super, group, bytes)));
    return {};
}

Result<BlockRef> load_bitmap(Disk& disk, u32 group, BitmapKind kind)
{
    auto const descriptor = TRY(load_group(disk, group));
    if (was_never_written(disk.super(), descriptor, kind)) {
        auto bitmap = TRY(initial_bitmap(disk, group, kind));
        return BlockRef(std::make_shared<std::vector<u8> const>(std::move(bitmap)));
    }
    auto const block = bitmap_block(descriptor, kind);
    TRY(check_place(disk, group, block));
    return disk.metadata(
        block, purpose_of(kind, group), bitmap_check(disk, group, kind, descriptor));
}

Result<BlockRef> load_committed_bitmap(Disk& disk, u32 group, BitmapKind kind)
{
    auto const descriptor = TRY(load_group(disk, group));
    auto const* const slot = disk.transaction().find_running(bitmap_block(descriptor, kind));
    if (!slot)
        return load_bitmap(disk, group, kind);
    if (!slot->base) // the block was made for something else since the last commit
        return disk.corrupt("group ", group, ": block ", bitmap_block(descriptor, kind),
            " is its bitmap and another structure's, too");
    return slot->base;
}

Result<void> edit_bitmap(Disk& disk, u32 group, BitmapKind kind, BitmapEdit const& edit)
{
    auto const& super = disk.super();
    auto descriptor = TRY(load_group(disk, group));
    auto const block = bitmap_block(descriptor, kind);
    auto const purpose = purpose_of(kind, group);
    TRY(check_place(disk, group, block));
    bool const is_new = was_never_written(super, descriptor, kind);
    auto const before = TRY(load_bitmap(disk, group, kind));
    auto const bitmap = is_new
        ? disk.create(block, purpose)
        : TRY(disk.change(block, purpose, bitmap_check(disk, group, kind, descriptor)));
    if (auto* const slot = disk.transaction().find_running(block); !slot->base)
        slot->base = before;
    if (is_new) {
        std::copy(before->begin(), before->end(), bitmap.begin());
        clear_flag(descriptor,
            kind == BitmapKind::blocks ? GroupFlag::blocks_uninitialised
                                       : GroupFlag::inodes_uninitialised);
    }
    TRY(edit(bitmap, descriptor));
    if (super.has(ReadOnlyCompatible::metadata_csum))
        store_field(descriptor, sum_field(kind), bitmap_sum(super, kind, bitmap));
    return edit_group(disk, group, [&](std::span<u8> bytes) {
        std::copy(descriptor.begin(), descriptor.end(), bytes.begin());
    });
}

Result<void> edit_superblock(Disk& disk, std::function<void(std::span<u8>)> const& edit)
{
    auto const& super = disk.super();
    auto const held = TRY(disk.change(superblock_block(super), superblock_purpose, accept_any));
    auto const bytes = held.subspan(superblock_offset % super.block_bytes, superblock_bytes);
    edit(bytes);
    return {};
}

void seal_changed_superblock(Disk& disk)
{
    auto const& super = disk.super();
    if (auto* const slot = disk.transaction().find_running(superblock_block(super)))
        seal_superblock(std::span(*slot->bytes)
                            .subspan(superblock_offset % super.block_bytes, superblock_bytes));
}

Result<std::vector<u8>> superblock_now(Disk& disk)
{
    auto const& super = disk.super();
    auto const held = TRY(disk.metadata(superblock_block(super), superblock_purpose, accept_any));
    auto const bytes
        = Bytes(*held).subspan(superblock_offset % super.block_bytes, superblock_bytes);
    return std::vector<u8>(bytes.begin(), bytes.end());
}

Result<FreeCounts> free_counts(Disk& disk)
{
    auto const bytes = TRY(superblock_now(disk));
    bool const wide = disk.super().has(Incompatible::wide);
    return FreeCounts { join(load32(bytes, 0xC), wide ? load32(bytes, 0x158) : 0),
        load32(bytes, 0x10) };
}

Result<void> add_free_blocks(Disk& disk, i64 change)
{
    auto const blocks = TRY(free_counts(disk)).blocks + static_cast<u64>(change);
    return edit_superblock(disk, [&](std::span<u8> bytes) {
        store32(bytes, 0xC, static_cast<u32>(blocks));
        if (disk.super().has(Incompatible::wide))
            store32(bytes, 0x158, static_cast<u32>(blocks >> 32));
    });
}

Result<void> add_free_inodes(Disk& disk, i64 change)
{
    return edit_superblock(disk, [&](std::span<u8> bytes) {
        store32(bytes, 0x10, load32(bytes, 0x10) + static_cast<u32>(change));
    });
}

} // namespace gemel::ext4
