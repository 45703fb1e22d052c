// Deleted files that are still to be freed: the list through the superblock, and the orphan file
// (ext4 documentation, "Orphan file").
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"

#include <array>

namespace gemel::ext4::check {

namespace {

constexpr u32 orphan_block_magic = 0x0B10'CA04;
constexpr usize orphan_tail_bytes = 8;
constexpr usize orphan_offset = 0xE8; // in the superblock: the first of the list

// The list: each inode's deletion time is the number of the next.
Result<void> follow_list(VolumeCheck& check)
{
    auto next = load32(check.super_bytes, orphan_offset);
    u32 from = 0;
    while (next != 0) {
        if (!check.super.holds_inode(next)) {
            check.repairable(Remedy::field, { patch32(superblock_offset + orphan_offset, 0) },
                "inode ", from, ": it continues the orphan list with inode ", next,
                ", which does not exist");
            break;
        }
        if (check.is_orphan.test(next)) {
            check.repairable(Remedy::field, { patch32(superblock_offset + orphan_offset, 0) },
                "inode ", next, ": it is on the orphan list twice");
            break;
        }
        check.add_orphan(next);
        auto const bytes = TRY(read_inode_bytes(check, next));
        if (bytes.empty())
            break;
        from = next;
        next = load32(bytes, 0x14);
    }
    return {};
}

u32 block_checksum(u32 seed, u64 block, Bytes bytes)
{
    std::array<u8, 8> place {};
    store32(place, 0, static_cast<u32>(block));
    store32(std::span(place).subspan(4), 0, static_cast<u32>(block >> 32));
    return crc32c(crc32c(seed, place), bytes.first(bytes.size() - orphan_tail_bytes));
}

// Why an entry cannot be one; empty when it can.
Result<std::string_view> fault_of(VolumeCheck& check, u32 number)
{
    if (!check.super.has(ReadOnlyCompatible::orphan_present))
        return std::string_view("which the superblock calls empty");
    if (!check.super.holds_inode(number))
        return std::string_view("and does not exist");
    if (number < check.super.first_inode || number == check.super.orphan_inode)
        return std::string_view("and belongs to the volume itself");
    if (check.is_orphan.test(number))
        return std::string_view("and was met among the orphans before");
    auto const bytes = TRY(read_inode_bytes(check, number));
    return bytes.empty() || load16(bytes, 0) != 0 ? std::string_view() : "and is not in use";
}

Result<void> read_orphan_block(VolumeCheck& check, RawInode const& inode, u64 block)
{
    std::vector<u8> bytes(check.super.block_bytes);
    TRY(check.read(block, bytes));
    auto const place = check.place_of_block(block);
    auto const tail = bytes.size() - orphan_tail_bytes;
    if (load32(bytes, tail) != orphan_block_magic) {
        check.problem("inode ", inode.number, ": block ", block, " is not one of an orphan file");
        return {};
    }
    auto const sum = block_checksum(inode.seed, block, bytes);
    if (check.sums() && load32(bytes, tail + 4) != sum) {
        check.repairable(Remedy::checksum, { patch32(place + tail + 4, sum) }, "inode ",
            inode.number, ": orphan block ", block, " has a wrong checksum");
    }
    for (usize offset = 0; offset < tail; offset += 4) {
        auto const number = load32(bytes, offset);
        if (number == 0)
            continue;
        auto const fault = TRY(fault_of(check, number));
        if (fault.empty()) {
            check.add_orphan(number);
        } else {
            check.repairable(Remedy::field, { patch32(place + offset, 0) }, "inode ", number,
                ": it is in the orphan file (block ", block, "), ", fault);
        }
    }
    return {};
}

Result<void> read_orphan_file(VolumeCheck& check)
{
    auto const number = load32(check.super_bytes, 0x280);
    if (!check.super.holds_inode(number)) {
        check.problem("inode ", number, ": the superblock calls it the orphan file");
        return {};
    }
    auto const bytes = TRY(read_inode_bytes(check, number));
    if (bytes.empty())
        return {};
    auto const seed = crc32c(crc32c(check.super.checksum_seed, number), load32(bytes, 0x64));
    RawInode const inode { number, bytes, load16(bytes, 0), load32(bytes, 0x20), load32(bytes, 0x4),
        seed };
    // A scratch copy: the blocks are claimed when the inode's turn comes.
    VolumeCheck scratch(check.device, check.findings, check.super);
    auto const blocks = inode.has(InodeFlag::extents) ? TRY(walk_extents(scratch, inode))
                                                      : TRY(walk_pointers(scratch, inode));
    check.summary.problems += scratch.summary.problems;
    auto const before = check.summary.problems + check.summary.orphans;
    for (auto const& piece : blocks.pieces) {
        for (u64 each = 0; each < piece.blocks; ++each)
            TRY(read_orphan_block(check, inode, piece.disk_block + each));
    }
    bool const empty = check.summary.problems + check.summary.orphans == before;
    if (empty && check.super.has(ReadOnlyCompatible::orphan_present)) {
        constexpr auto present = static_cast<u32>(ReadOnlyCompatible::orphan_present);
        check.repairable(Remedy::field,
            { patch32(superblock_offset + 0x64, check.super.read_only_compatible & ~present) },
            "inode ", number, ": the orphan file is empty, and the superblock says it is not");
    }
    return {};
}

} // namespace

Result<void> find_orphans(VolumeCheck& check)
{
    TRY(follow_list(check));
    if (check.super.has(Compatible::orphan_file))
        TRY(read_orphan_file(check));
    return {};
}

} // namespace gemel::ext4::check
