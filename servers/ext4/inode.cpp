// Field offsets: ext4 documentation, "Index Nodes".
#include "servers/ext4/inode.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/group.hpp"
#include "servers/ext4/inline_data.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr usize inode_bytes_old = 128;
constexpr usize extra_size_offset = 0x80;
constexpr usize checksum_low_offset = 0x7C;
constexpr usize checksum_high_offset = 0x82;
constexpr u64 file_bytes_max = 1ull << 62;
constexpr u64 directory_bytes_max_small = 1ull << 31; // without large_dir
constexpr u32 sector_bytes = 512;
// Inodes of one directory usually lie together: one device read brings this much of the table.
constexpr u32 read_ahead_bytes = 32768;

Result<GroupDescriptor> group_of_inode(Disk& disk, u32 number)
{
    auto const& super = disk.super();
    if (!super.holds_inode(number))
        return disk.corrupt("inode ", number, " does not exist: the volume has ", super.inodes);
    return read_group(disk, (number - 1) / super.inodes_per_group);
}

InodePlace place_in(Superblock const& super, GroupDescriptor const& group, u32 number)
{
    u64 const offset = static_cast<u64>((number - 1) % super.inodes_per_group) * super.inode_bytes;
    return { group.inode_table + offset / super.block_bytes,
        static_cast<usize>(offset % super.block_bytes) };
}

// One inode's bytes, with the part that this inode says it uses.
struct RawInode {
    Bytes bytes;
    usize used_bytes; // 128 and what i_extra_isize adds

    bool reaches(usize offset, usize size) const { return offset + size <= used_bytes; }
    u32 extra(usize offset) const { return reaches(offset, 4) ? load32(bytes, offset) : 0; }
};

struct Place {
    u32 number;
    u64 block;
};

Timestamp decode_time(u32 seconds, u32 extra)
{
    auto const epochs = static_cast<i64>(extra & 3) << 32;
    return { static_cast<i32>(seconds) + epochs, extra >> 2 };
}

// The sum over the inode with its own checksum fields as zeros.
u32 checksum_of(RawInode const& raw, u32 seed)
{
    std::array<u8, 2> const gap {};
    auto sum = crc32c(seed, raw.bytes.first(checksum_low_offset));
    sum = crc32c(sum, gap);
    auto rest = raw.bytes.subspan(checksum_low_offset + gap.size());
    if (raw.reaches(checksum_high_offset, gap.size())) {
        auto const before = checksum_high_offset - checksum_low_offset - gap.size();
        sum = crc32c(sum, rest.first(before));
        sum = crc32c(sum, gap);
        rest = rest.subspan(before + gap.size());
    }
    return crc32c(sum, rest);
}

Result<void> check_checksum(Disk& disk, Place place, RawInode const& raw, u32 seed)
{
    if (!disk.super().has(ReadOnlyCompatible::metadata_csum))
        return {};
    u32 stored = load16(raw.bytes, checksum_low_offset);
    auto computed = checksum_of(raw, seed);
    if (raw.reaches(checksum_high_offset, 2))
        stored |= static_cast<u32>(load16(raw.bytes, checksum_high_offset)) << 16;
    else
        computed &= 0xFFFF;
    if (stored == computed)
        return {};
    return disk.corrupt("inode ", place.number, ": in block ", place.block, " it has checksum ",
        Hex { stored }, " and should have ", Hex { computed });
}

Result<RawInode> frame(Disk& disk, Place place, Bytes bytes)
{
    if (bytes.size() == inode_bytes_old)
        return RawInode { bytes, inode_bytes_old };
    auto const extra = load16(bytes, extra_size_offset);
    if (extra % 4 != 0 || extra > bytes.size() - inode_bytes_old) {
        return disk.corrupt(
            "inode ", place.number, ": in block ", place.block, " it has extra size ", extra);
    }
    return RawInode { bytes, inode_bytes_old + extra };
}

void parse_times(RawInode const& raw, Inode& inode)
{
    inode.accessed = decode_time(load32(raw.bytes, 0x8), raw.extra(0x8C));
    inode.changed = decode_time(load32(raw.bytes, 0xC), raw.extra(0x84));
    inode.modified = decode_time(load32(raw.bytes, 0x10), raw.extra(0x88));
    if (raw.reaches(0x90, 4))
        inode.created = decode_time(load32(raw.bytes, 0x90), raw.extra(0x94));
}

void parse_attributes(Superblock const& super, RawInode const& raw, Inode& inode)
{
    auto const bytes = raw.bytes;
    inode.mode = load16(bytes, 0x0);
    inode.user = load16(bytes, 0x2) | static_cast<u32>(load16(bytes, 0x78)) << 16;
    inode.group = load16(bytes, 0x18) | static_cast<u32>(load16(bytes, 0x7A)) << 16;
    inode.links = load16(bytes, 0x1A);
    inode.deleted = load32(bytes, 0x14);
    inode.attribute_block
        = join(load32(bytes, 0x68), super.has(Incompatible::wide) ? load16(bytes, 0x76) : 0);
    inode.flags = load32(bytes, 0x20);
    // The upper half was a directory's ACL block before directories could be large.
    bool const wide_size = inode.type() == FileType::regular || super.has(Incompatible::large_dir);
    inode.size_bytes = join(load32(bytes, 0x4), wide_size ? load32(bytes, 0x6C) : 0);
    auto const counted = join(
        load32(bytes, 0x1C), super.has(ReadOnlyCompatible::huge_file) ? load16(bytes, 0x74) : 0);
    bool const in_blocks
        = super.has(ReadOnlyCompatible::huge_file) && inode.has(InodeFlag::huge_file);
    inode.allocated_bytes = counted * (in_blocks ? super.block_bytes : sector_bytes);
    inode.project = super.has(ReadOnlyCompatible::project) && raw.reaches(project_offset, 4)
        ? load32(bytes, project_offset)
        : 0;
    std::copy_n(bytes.begin() + 0x28, inode.map.size(), inode.map.begin());
}

// What reading it relies on, so that no later step meets an impossible size.
Result<void> check_inode(Disk& disk, Place place, Inode const& inode)
{
    auto const& super = disk.super();
    auto const bad = [&](std::string_view what, u64 value) {
        return disk.corrupt(
            "inode ", place.number, ": in block ", place.block, " it has ", what, " ", value);
    };
    if (inode.has(InodeFlag::encrypted))
        return bad("encrypted contents, in a volume without encryption; flags", inode.flags);
    if (inode.has(InodeFlag::inline_data) && !super.has(Incompatible::inline_data))
        return bad("inline data, in a volume without it; flags", inode.flags);
    if (inode.type() == FileType::unknown)
        return bad("the unknown type of mode", inode.mode);
    if (inode.size_bytes > file_bytes_max)
        return bad("the impossible size", inode.size_bytes);
    if (inode.has(InodeFlag::extents) && inode.size_bytes / super.block_bytes > 1ull << 32)
        return bad("more blocks than extents can map in its size", inode.size_bytes);
    if (!inode.is_directory())
        return {};
    auto const limit = super.has(Incompatible::large_dir)
        ? super.blocks * super.block_bytes
        : std::min(directory_bytes_max_small, super.blocks * super.block_bytes);
    bool const whole
        = inode.has(InodeFlag::inline_data) || inode.size_bytes % super.block_bytes == 0;
    if (!whole || inode.size_bytes > limit)
        return bad("the impossible directory size", inode.size_bytes);
    return {};
}

Result<Inode> parse_inode(Disk& disk, Place place, Bytes bytes, InodeUse use)
{
    auto const& super = disk.super();
    // An inode that was never used has no valid checksum: say the more helpful thing first.
    if (load16(bytes, 0x1A) == 0 && use != InodeUse::any)
        return disk.corrupt(
            "inode ", place.number, ": in block ", place.block, " it is not in use");
    auto const raw = TRY(frame(disk, place, bytes));
    Inode inode {};
    inode.number = place.number;
    inode.generation = load32(bytes, 0x64);
    inode.checksum_seed = inode_checksum_seed(super, inode.number, inode.generation);
    TRY(check_checksum(disk, place, raw, inode.checksum_seed));
    parse_attributes(super, raw, inode);
    parse_times(raw, inode);
    TRY(check_inode(disk, place, inode));
    if (inode.has(InodeFlag::value) != (use == InodeUse::value) && use != InodeUse::any) {
        return disk.corrupt("inode ", place.number, ": in block ", place.block,
            use == InodeUse::value ? " it should hold the value of an attribute"
                                   : " it holds the value of an attribute and has a name");
    }
    if (inode.has(InodeFlag::inline_data))
        inode.inline_rest = TRY(find_inline_rest(disk, inode, bytes.subspan(raw.used_bytes)));
    return inode;
}

} // namespace

FileType Inode::type() const
{
    switch (mode & 0xF000) {
    case 0x1000:
        return FileType::fifo;
    case 0x2000:
        return FileType::character_device;
    case 0x4000:
        return FileType::directory;
    case 0x6000:
        return FileType::block_device;
    case 0x8000:
        return FileType::regular;
    case 0xA000:
        return FileType::symbolic_link;
    case 0xC000:
        return FileType::socket;
    }
    return FileType::unknown;
}

DeviceNumber Inode::device() const
{
    if (type() != FileType::character_device && type() != FileType::block_device)
        return { 0, 0 };
    // Linux's two encodings: 8 bits each in the first word, or 12 and 20 bits in the second.
    auto const old_style = load32(map, 0);
    if (old_style != 0)
        return { old_style >> 8 & 0xFF, old_style & 0xFF };
    auto const word = load32(map, 4);
    return { word >> 8 & 0xFFF, (word & 0xFF) | (word >> 12 & 0xF'FF00) };
}

u32 inode_checksum_seed(Superblock const& super, u32 number, u32 generation)
{
    return crc32c(crc32c(super.checksum_seed, number), generation);
}

void seal_inode(Superblock const& super, u32 number, std::span<u8> bytes)
{
    if (!super.has(ReadOnlyCompatible::metadata_csum))
        return;
    usize const extra = bytes.size() > inode_bytes_old ? load16(bytes, extra_size_offset) : 0;
    RawInode const raw { bytes, inode_bytes_old + extra };
    auto const sum = checksum_of(raw, inode_checksum_seed(super, number, load32(bytes, 0x64)));
    store16(bytes, checksum_low_offset, static_cast<u16>(sum));
    if (raw.reaches(checksum_high_offset, 2))
        store16(bytes, checksum_high_offset, static_cast<u16>(sum >> 16));
}

Result<InodePlace> place_of_inode(Disk& disk, u32 number)
{
    return place_in(disk.super(), TRY(group_of_inode(disk, number)), number);
}

Result<std::span<u8>> change_inode_bytes(Disk& disk, u32 number)
{
    auto const place = TRY(place_of_inode(disk, number));
    disk.inodes().forget(number);
    auto const bytes = TRY(disk.change(
        place.block, { Purpose::Kind::inode_table }, [](Bytes) { return Result<void> {}; }));
    return bytes.subspan(place.offset, disk.super().inode_bytes);
}

namespace {

// As the disk has it.
Result<Inode> read_from_table(Disk& disk, u32 number, InodeUse use)
{
    auto const& super = disk.super();
    auto const descriptor = TRY(group_of_inode(disk, number));
    auto const place = place_in(super, descriptor, number);
    bool const sums
        = super.has(ReadOnlyCompatible::metadata_csum) || super.has(ReadOnlyCompatible::uninit_bg);
    if (sums && descriptor.inodes_uninitialised()) {
        return disk.corrupt("inode ", number, ": in block ", place.block,
            " it is not in use: group ", (number - 1) / super.inodes_per_group,
            " has no inodes yet");
    }
    auto const held = TRY(disk.metadata(
        place.block, { Purpose::Kind::inode_table }, [](Bytes) { return Result<void> {}; },
        read_ahead_bytes / super.block_bytes));
    auto inode = parse_inode(
        disk, { number, place.block }, Bytes(*held).subspan(place.offset, super.inode_bytes), use);
    if (!inode && inode.error() == Error::corrupt)
        disk.place_damage({ Purpose { Purpose::Kind::inode_table }.name(), place.block, number });
    if (inode && use == InodeUse::named && !disk.transaction().in_operation())
        disk.inodes().put(*inode, place.block);
    return inode;
}

} // namespace

Result<Inode> read_inode(Disk& disk, u32 number, InodeUse use)
{
    auto const* const known = use == InodeUse::value ? nullptr : disk.inodes().find(number);
    auto inode = known ? Result<Inode>(*known) : read_from_table(disk, number, use);
    if (inode)
        inode->size_bytes = disk.waiting().size_of(number).value_or(inode->size_bytes);
    return inode;
}

} // namespace gemel::ext4
