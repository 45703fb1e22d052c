// Every inode of every table (ext4 documentation, "Index Nodes").
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4::check {

namespace {

constexpr usize inode_bytes_old = 128;
constexpr usize checksum_low = 0x7C;
constexpr usize checksum_high = 0x82;
constexpr usize deleted = 0x14; // the time
constexpr u32 bad_blocks_inode = 1;
constexpr u32 resize_inode = 7;

bool is_zero(Bytes bytes)
{
    return std::all_of(bytes.begin(), bytes.end(), [](u8 each) { return each == 0; });
}

u32 first_free_inode(VolumeCheck const& check)
{
    return load32(check.super_bytes, 0x4C) >= 1 ? load32(check.super_bytes, 0x54) : 11;
}

// Bytes after the first 128 that the inode says are fields.
u32 extra_bytes(Bytes bytes)
{
    return bytes.size() > inode_bytes_old ? load16(bytes, inode_bytes_old) : 0;
}

bool has_high_checksum(Bytes bytes)
{
    return bytes.size() > inode_bytes_old && extra_bytes(bytes) >= 4;
}

u32 computed_checksum(u32 seed, Bytes bytes)
{
    std::array<u8, 2> const gap {};
    auto sum = crc32c(crc32c(seed, bytes.first(checksum_low)), gap);
    if (!has_high_checksum(bytes))
        return crc32c(sum, bytes.subspan(checksum_low + 2)) & (bytes.size() > 128 ? ~0u : 0xFFFFu);
    sum = crc32c(sum, bytes.subspan(checksum_low + 2, checksum_high - checksum_low - 2));
    return crc32c(crc32c(sum, gap), bytes.subspan(checksum_high + 2));
}

void check_checksum(VolumeCheck& check, RawInode const& inode)
{
    if (!check.sums())
        return;
    u32 stored = load16(inode.bytes, checksum_low);
    auto computed = computed_checksum(inode.seed, inode.bytes);
    if (has_high_checksum(inode.bytes))
        stored |= static_cast<u32>(load16(inode.bytes, checksum_high)) << 16;
    else
        computed &= 0xFFFF;
    if (stored != computed) {
        auto const place = check.place_of_inode(inode.number);
        std::vector<Patch> patches { patch16(place + checksum_low, computed & 0xFFFF) };
        if (has_high_checksum(inode.bytes))
            patches.push_back(patch16(place + checksum_high, computed >> 16));
        check.repairable(Remedy::checksum, std::move(patches), "inode ", inode.number,
            ": it has the checksum ", Hex { stored }, " and should have ", Hex { computed });
    }
}

u8 type_code(u16 kind)
{
    switch (kind) {
    case kind_regular:
        return 1;
    case kind_directory:
        return 2;
    case 0x2000:
        return 3;
    case 0x6000:
        return 4;
    case 0x1000:
        return 5;
    case 0xC000:
        return 6;
    case kind_link:
        return 7;
    }
    return 0;
}

// A reserved descriptor block lists its copies in the other groups, in their order. Returns how
// many it names.
Result<u64> check_growth_block(VolumeCheck& check, u32 number, u64 reserved)
{
    auto const& super = check.super;
    std::vector<u8> copies(super.block_bytes);
    TRY(check.read(reserved, copies));
    usize named = 0;
    bool wrong = false;
    for (u32 group = 1; group < super.groups; ++group) {
        if (!super.has_backup(group))
            continue;
        auto const expected = reserved + super.first_block_of_group(group) - super.first_data_block;
        wrong = wrong || 4 * named >= copies.size() || load32(copies, 4 * named) != expected;
        ++named;
    }
    for (auto offset = 4 * named; offset < copies.size(); offset += 4)
        wrong = wrong || load32(copies, offset) != 0;
    if (wrong) {
        check.problem(
            "inode ", number, ": block ", reserved, ", kept for growing, does not name its copies");
    }
    return named;
}

// The inode that keeps the reserved descriptor blocks: its pointers name blocks that are claimed
// already, so only its own double indirect block is.
Result<u64> check_resize_inode(VolumeCheck& check, RawInode const& inode)
{
    auto const& super = check.super;
    u64 const first = super.first_data_block + 1
        + (static_cast<u64>(super.groups) * super.descriptor_bytes - 1) / super.block_bytes + 1;
    auto const pointers_per_block = super.block_bytes / 4;
    auto const block = load32(inode.map(), 13 * 4);
    if (block == 0)
        return u64 { 0 };
    if (!check.claim(block, inode.number))
        return u64 { 0 };
    std::vector<u8> pointers(check.super.block_bytes);
    TRY(check.read(block, pointers));
    u64 counted = 1;
    u64 reserved_named = 0;
    for (u32 index = 0; index < pointers_per_block; ++index) {
        auto const reserved = load32(pointers, index * usize { 4 });
        if (reserved == 0)
            continue;
        bool const kept = reserved >= first && reserved < first + super.reserved_table_blocks;
        if (!kept || (reserved - super.first_data_block - 1) % pointers_per_block != index) {
            check.problem("inode ", inode.number, ": block ", block, " names block ", reserved,
                ", which is not kept for growing");
            continue;
        }
        ++reserved_named;
        counted += 1 + TRY(check_growth_block(check, inode.number, reserved));
    }
    if (reserved_named != super.reserved_table_blocks) {
        check.problem("inode ", inode.number, ": block ", block, " names ", reserved_named, " of ",
            super.reserved_table_blocks, " blocks that are kept for growing");
    }
    for (usize word = 0; word < inode_map_bytes / 4; ++word) {
        if (word != 13 && load32(inode.map(), 4 * word) != 0)
            check.problem("inode ", inode.number, ": pointer ", word, " is not zero");
    }
    return counted;
}

Result<void> keep_directory(VolumeCheck& check, RawInode const& inode, std::vector<Piece> pieces)
{
    Directory directory { inode.number, inode.seed, inode.size,
        inode.has(InodeFlag::indexed) && check.super.has(Compatible::dir_index), std::move(pieces),
        {} };
    if (inode.has(InodeFlag::inline_data)) {
        directory.is_inline = true;
        directory.indexed = false;
        directory.inline_bytes.assign(inode.bytes.begin(), inode.bytes.end());
    }
    check.directories.push_back(std::move(directory));
    return {};
}

bool may_be_inline_link(RawInode const& inode)
{
    return inode.kind() == kind_link && inode.size < inode_map_bytes;
}

void check_device(VolumeCheck& check, RawInode const& inode)
{
    if (inode.has(InodeFlag::extents) || inode.has(InodeFlag::indexed)
        || !is_zero(inode.map().subspan(8)))
        check.problem("inode ", inode.number, ": a device, pipe or socket with blocks");
}

Result<void> check_long_link(
    VolumeCheck& check, RawInode const& inode, std::vector<Piece> const& pieces)
{
    auto const bytes = check.super.block_bytes;
    bool const one = pieces.size() == 1 && pieces[0].first == 0 && pieces[0].blocks == 1;
    if (!one || inode.size == 0 || inode.size >= bytes) {
        check.problem("inode ", inode.number, ": a symbolic link of ", inode.size, " bytes in ",
            pieces.size(), " pieces");
        return {};
    }
    std::vector<u8> target(bytes);
    TRY(check.read(pieces[0].disk_block, target));
    auto const end = std::find(target.begin(), target.end(), u8 { 0 });
    if (static_cast<u64>(end - target.begin()) != inode.size) {
        check.problem("inode ", inode.number, ": its target in block ", pieces[0].disk_block,
            " is not of its size, ", inode.size);
    }
    return {};
}

void check_short_link(VolumeCheck& check, RawInode const& inode)
{
    auto const map = inode.map();
    auto const end = std::find(map.begin(), map.end(), u8 { 0 });
    if (inode.size == 0 || static_cast<u64>(end - map.begin()) != inode.size)
        check.problem("inode ", inode.number, ": its target is not of its size, ", inode.size);
}

void check_size(VolumeCheck& check, RawInode const& inode, std::vector<Piece> const& pieces)
{
    auto const bytes = check.super.block_bytes;
    u64 end = 0;
    u64 written_end = 0;
    for (auto const& piece : pieces) {
        end = std::max(end, piece.first + piece.blocks);
        if (piece.written)
            written_end = std::max(written_end, piece.first + piece.blocks);
    }
    bool wrong = false;
    if (inode.kind() == kind_directory)
        wrong = inode.size % bytes != 0 || inode.size / bytes != end;
    else
        wrong = written_end > 0 && inode.size < (written_end - 1) * bytes;
    if (wrong) {
        check.problem("inode ", inode.number, ": its size is ", inode.size,
            ", which does not fit its ", end, " blocks");
    }
}

void check_count(VolumeCheck& check, RawInode const& inode, u64 blocks)
{
    auto const& super = check.super;
    bool const huge = super.has(ReadOnlyCompatible::huge_file);
    auto const stated = join(load32(inode.bytes, 0x1C), huge ? load16(inode.bytes, 0x74) : 0);
    bool const in_blocks = huge && inode.has(InodeFlag::huge_file);
    auto const counted = in_blocks ? blocks : blocks * (super.block_bytes / 512);
    if (stated == counted)
        return;
    auto const place = check.place_of_inode(inode.number);
    std::vector<Patch> patches { patch32(place + 0x1C, static_cast<u32>(counted)) };
    if (huge)
        patches.push_back(patch16(place + 0x74, static_cast<u32>(counted >> 32)));
    check.repairable(Remedy::count, std::move(patches), "inode ", inode.number, ": it counts ",
        stated, in_blocks ? " blocks" : " sectors", " and has ", counted);
}

// The blocks of an inode in use.
Result<void> check_contents(VolumeCheck& check, RawInode const& inode)
{
    auto counted = TRY(check_attributes(check, inode));
    auto const kind = inode.kind();
    bool const keeps_blocks = kind == kind_regular || kind == kind_directory || kind == kind_link;
    if (inode.number == resize_inode && check.super.has(Compatible { 0x10 })) {
        counted += TRY(check_resize_inode(check, inode));
    } else if (!keeps_blocks) {
        check_device(check, inode);
    } else if (inode.has(InodeFlag::inline_data)) {
        if (kind == kind_directory)
            TRY(keep_directory(check, inode, {}));
    } else if (may_be_inline_link(inode) && (counted != 0 || load32(inode.bytes, 0x1C) == 0)
        && !inode.has(InodeFlag::extents)) {
        check_short_link(check, inode);
    } else {
        auto blocks = inode.has(InodeFlag::extents) ? TRY(walk_extents(check, inode))
                                                    : TRY(walk_pointers(check, inode));
        counted += blocks.counted;
        if (kind == kind_link)
            TRY(check_long_link(check, inode, blocks.pieces));
        else
            check_size(check, inode, blocks.pieces);
        if (inode.has(InodeFlag::value))
            TRY(note_value(check, inode, blocks.pieces));
        if (kind == kind_directory)
            TRY(keep_directory(check, inode, std::move(blocks.pieces)));
    }
    check_count(check, inode, counted);
    return {};
}

// Flags that need a feature of the volume.
void check_flags(VolumeCheck& check, RawInode const& inode)
{
    auto const& super = check.super;
    if (inode.has(InodeFlag::extents) && !super.has(Incompatible::extent))
        check.problem("inode ", inode.number, ": it has extents, in a volume without them");
    if (inode.has(InodeFlag::inline_data) && !super.has(Incompatible::inline_data))
        check.problem("inode ", inode.number, ": it has inline data, in a volume without it");
    if (inode.has(InodeFlag::indexed)
        && (!super.has(Compatible::dir_index) || inode.kind() != kind_directory))
        check.problem("inode ", inode.number, ": it has the flag of an indexed directory");
}

// Small numbers are links of the list of orphans.
u32 plausible_deletion(VolumeCheck const& check)
{
    return std::max(check.super.inodes + 1, static_cast<u32>(check.super.written_seconds));
}

// Fields that nobody uses (fragments), or not with these features.
void check_unused_fields(VolumeCheck& check, RawInode const& inode)
{
    auto const place = check.place_of_inode(inode.number);
    auto const wrong = [&](std::string_view field, Patch patch) {
        check.repairable(Remedy::field, { std::move(patch) }, "inode ", inode.number, ": it has a ",
            field, ", which should be zero");
    };
    if (load32(inode.bytes, 0x70) != 0)
        wrong("fragment", patch32(place + 0x70, 0));
    if (!check.super.has(Incompatible::wide) && load16(inode.bytes, 0x76) != 0)
        wrong("wide attribute block", patch16(place + 0x76, 0));
    if (inode.kind() == kind_directory && !check.super.has(Incompatible::large_dir)
        && load32(inode.bytes, 0x6C) != 0)
        wrong("wide size", patch32(place + 0x6C, 0));
}

Result<void> check_used(VolumeCheck& check, RawInode const& inode, u16 links)
{
    auto const number = inode.number;
    bool const reserved = number < first_free_inode(check) && number != root_inode;
    // A file on the list that still has names is being cut, not deleted.
    bool const listed = check.is_orphan.test(number);
    bool const orphan = listed && links == 0;
    check.inodes_used.set(number);
    if (links != 0 && load32(inode.bytes, 0x14) != 0 && !listed)
        check.repairable(Remedy::field, { patch32(check.place_of_inode(number) + deleted, 0) },
            "inode ", number, ": it is in use and has a time of deletion");
    if (type_code(inode.kind()) == 0 && number != bad_blocks_inode
        && !(reserved && inode.mode == 0)) {
        check.problem("inode ", number, ": it has the unknown type of mode ", inode.mode);
        return {};
    }
    if (number == root_inode && inode.kind() != kind_directory)
        check.problem("inode ", number, ": the root is not a directory");
    check_flags(check, inode);
    check_unused_fields(check, inode);
    check.facts.push_back({ .number = number,
        .links = links,
        .type_code = type_code(inode.kind()),
        .directory = inode.kind() == kind_directory && !orphan,
        .orphan = orphan });
    // Nothing names reserved inodes and the values of large attributes.
    if (reserved || orphan || inode.has(InodeFlag::value))
        check.facts.back().names = links;
    if (number == load32(check.super_bytes, 0x280) && check.super.has(Compatible::orphan_file))
        check.facts.back().names = links;
    check.facts.back().reached = check.facts.back().names == links;
    return check_contents(check, inode);
}

RawInode frame(VolumeCheck const& check, u32 number, Bytes bytes)
{
    RawInode inode { number, bytes, load16(bytes, 0), load32(bytes, 0x20), load32(bytes, 0x4),
        crc32c(crc32c(check.super.checksum_seed, number), load32(bytes, 0x64)) };
    if (inode.kind() == kind_regular || check.super.has(Incompatible::large_dir))
        inode.size = join(load32(bytes, 0x4), load32(bytes, 0x6C));
    return inode;
}

Result<void> check_inode(VolumeCheck& check, u32 number, Bytes bytes)
{
    bool const reserved = number < first_free_inode(check);
    if (reserved)
        check.inodes_used.set(number);
    auto const links = load16(bytes, 0x1A);
    if (links == 0 && is_zero(bytes)) {
        if (check.is_orphan.test(number))
            check.problem("inode ", number, ": an orphan that is empty");
        return {};
    }
    auto const inode = frame(check, number, bytes);
    check_checksum(check, inode);
    auto const extra = extra_bytes(bytes);
    if (extra % 4 != 0 || extra > bytes.size() - inode_bytes_old) {
        check.problem("inode ", number, ": it has the impossible extra size ", extra);
        return {};
    }
    if (links != 0 || check.is_orphan.test(number))
        return check_used(check, inode, links);
    if (!reserved && inode.mode != 0 && load32(bytes, 0x14) == 0)
        check.repairable(Remedy::field,
            { patch32(check.place_of_inode(number) + deleted, plausible_deletion(check)) },
            "inode ", number, ": it was deleted at no time");
    else if (auto const time = load32(bytes, deleted);
             !reserved && time != 0 && time <= check.super.inodes) {
        check.repairable(Remedy::field,
            { patch32(check.place_of_inode(number) + deleted, plausible_deletion(check)) },
            "inode ", number, ": it was on a list of orphans (deleted at ", time, ")");
    }
    return {};
}

} // namespace

Result<std::vector<u8>> read_inode_bytes(VolumeCheck& check, u32 number)
{
    auto const& group = check.groups[(number - 1) / check.super.inodes_per_group];
    if (!group.usable)
        return std::vector<u8> {};
    std::vector<u8> bytes(check.super.inode_bytes);
    TRY(check.device.read(check.place_of_inode(number), bytes));
    return bytes;
}

Result<void> check_inodes(VolumeCheck& check)
{
    auto const& super = check.super;
    constexpr usize piece_bytes = 64 * 1024;
    std::vector<u8> piece;
    for (u32 group = 0; group < super.groups; ++group) {
        auto const& each = check.groups[group];
        u32 const count = (each.flags & group_inodes_uninitialised) != 0
            ? 0
            : super.inodes_per_group - each.unused_inodes;
        auto const first = group * super.inodes_per_group + 1;
        for (u32 index = 0; each.usable && index < count;) {
            auto const now = std::min<u32>(count - index, piece_bytes / super.inode_bytes);
            piece.resize(static_cast<usize>(now) * super.inode_bytes);
            TRY(check.device.read(check.place_of_inode(first + index), piece));
            for (u32 one = 0; one < now; ++one) {
                TRY(check_inode(check, first + index + one,
                    Bytes(piece).subspan(one * super.inode_bytes, super.inode_bytes)));
            }
            index += now;
        }
    }
    return {};
}

} // namespace gemel::ext4::check
