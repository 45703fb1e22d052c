#include "servers/ext4/orphans.hpp"

#include "servers/ext4/block_map.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/group_table.hpp"
#include "servers/ext4/inode_table.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u32 block_magic = 0x0B10'CA04;
constexpr usize tail_bytes = 8; // magic and checksum
constexpr usize entry_bytes = 4;
constexpr u64 file_bytes_max = 8 << 20; // as the kernel has it
constexpr usize list_head_offset = 0xE8; // in the superblock
constexpr usize read_only_compatible_offset = 0x64;
constexpr auto present_bit = static_cast<u32>(ReadOnlyCompatible::orphan_present);

Purpose const orphan_purpose { Purpose::Kind::orphan_block };

u32 block_sum(u32 seed, u64 block, Bytes bytes)
{
    auto const placed
        = crc32c(crc32c(seed, static_cast<u32>(block)), static_cast<u32>(block >> 32));
    return crc32c(placed, bytes.first(bytes.size() - tail_bytes));
}

// Where `number` (0: a free place) stands in the block; its tail when it does not.
usize find_entry(Bytes bytes, u32 number)
{
    auto const end = bytes.size() - tail_bytes;
    usize offset = 0;
    while (offset < end && load32(bytes, offset) != number)
        offset += entry_bytes;
    return offset;
}

bool holds_nothing(Bytes bytes)
{
    auto const entries = bytes.first(bytes.size() - tail_bytes);
    return std::all_of(entries.begin(), entries.end(), [](u8 each) { return each == 0; });
}

Result<void> set_present(Disk& disk, bool present)
{
    auto const features = load32(TRY(superblock_now(disk)), read_only_compatible_offset);
    auto const wanted = present ? features | present_bit : features & ~present_bit;
    if (features == wanted)
        return {};
    return edit_superblock(
        disk, [&](std::span<u8> bytes) { store32(bytes, read_only_compatible_offset, wanted); });
}

} // namespace

Result<Orphans> Orphans::open(Disk& disk)
{
    Orphans orphans(disk);
    if (disk.super().has(Compatible::orphan_file))
        TRY(orphans.find_file());
    return orphans;
}

Result<void> Orphans::find_file()
{
    auto const& super = disk_->super();
    auto const inode = TRY(read_inode(*disk_, super.orphan_inode));
    checksum_seed_ = inode.checksum_seed;
    bool const sound = inode.type() == FileType::regular && !inode.has(InodeFlag::inline_data)
        && inode.size_bytes % super.block_bytes == 0 && inode.size_bytes <= file_bytes_max;
    if (!sound)
        return disk_->corrupt("inode ", inode.number, " cannot be an orphan file");
    auto const blocks = inode.size_bytes / super.block_bytes;
    while (blocks_.size() < blocks) {
        auto const run = TRY(find_run(*disk_, inode, blocks_.size()));
        if (run.kind != Run::Kind::data)
            return disk_->corrupt("inode ", inode.number, ": an orphan file with a hole");
        for (u64 each = 0; each < run.blocks && blocks_.size() < blocks; ++each)
            blocks_.push_back(run.disk_block + each);
    }
    if (super.has(ReadOnlyCompatible::orphan_present))
        used_blocks_ = blocks_.size();
    return {};
}

Result<BlockRef> Orphans::load(usize index)
{
    auto const block = blocks_[index];
    auto const verify = [&](Bytes bytes) -> Result<void> {
        auto const tail = bytes.last(tail_bytes);
        bool const sums = disk_->super().has(ReadOnlyCompatible::metadata_csum);
        if (load32(tail, 0) == block_magic
            && (!sums || load32(tail, 4) == block_sum(checksum_seed_, block, bytes)))
            return {};
        return disk_->corrupt("block ", block, " is none of an orphan file, or damaged");
    };
    return disk_->metadata(block, orphan_purpose, verify);
}

Result<void> Orphans::put(usize index, usize offset, u32 number)
{
    auto const block = blocks_[index];
    auto const bytes
        = TRY(disk_->change(block, orphan_purpose, [](Bytes) { return Result<void> {}; }));
    store32(bytes, offset, number);
    if (disk_->super().has(ReadOnlyCompatible::metadata_csum))
        store32(bytes.last(tail_bytes), 4, block_sum(checksum_seed_, block, bytes));
    return {};
}

Result<bool> Orphans::add_to_file(u32 number)
{
    for (usize index = 0; index < blocks_.size(); ++index) {
        auto const bytes = TRY(load(index));
        auto const offset = find_entry(*bytes, 0);
        if (offset == bytes->size() - tail_bytes)
            continue;
        used_blocks_ = std::max(used_blocks_, index + 1);
        TRY(put(index, offset, number));
        TRY(set_present(*disk_, true));
        return true;
    }
    return false;
}

// From the back, as `any` gives them.
Result<bool> Orphans::remove_from_file(u32 number)
{
    bool found = false;
    bool empty = true;
    for (auto index = used_blocks_; index-- > 0 && (empty || !found);) {
        auto bytes = TRY(load(index));
        auto const offset = find_entry(*bytes, number);
        if (!found && offset < bytes->size() - tail_bytes) {
            found = true;
            TRY(put(index, offset, 0));
            bytes = TRY(load(index));
        }
        empty = empty && holds_nothing(*bytes);
    }
    if (found && empty)
        TRY(set_present(*disk_, false));
    return found;
}

Result<void> Orphans::add(Inode& inode)
{
    inode.deleted = 0;
    if (TRY(add_to_file(inode.number)))
        return write_inode(*disk_, inode);
    inode.deleted = load32(TRY(superblock_now(*disk_)), list_head_offset);
    TRY(write_inode(*disk_, inode));
    return edit_superblock(
        *disk_, [&](std::span<u8> bytes) { store32(bytes, list_head_offset, inode.number); });
}

Result<void> Orphans::remove(Inode& inode)
{
    if (TRY(remove_from_file(inode.number))) {
        inode.deleted = 0;
        return write_inode(*disk_, inode);
    }
    return remove_from_list(inode);
}

Result<void> Orphans::remove_from_list(Inode& inode)
{
    auto const next = std::exchange(inode.deleted, 0);
    auto number = load32(TRY(superblock_now(*disk_)), list_head_offset);
    if (number == inode.number) {
        TRY(edit_superblock(
            *disk_, [&](std::span<u8> bytes) { store32(bytes, list_head_offset, next); }));
        return write_inode(*disk_, inode);
    }
    for (u32 steps = 0; number != 0 && steps < disk_->super().inodes; ++steps) {
        auto before = TRY(read_inode(*disk_, number, InodeUse::any));
        if (before.deleted == inode.number) {
            before.deleted = next;
            TRY(write_inode(*disk_, before));
            return write_inode(*disk_, inode);
        }
        number = before.deleted;
    }
    return disk_->corrupt("inode ", inode.number, " is missing from the list of orphans");
}

Result<u32> Orphans::any()
{
    auto const& super = disk_->super();
    auto number = load32(TRY(superblock_now(*disk_)), list_head_offset);
    while (number == 0 && used_blocks_ > 0) {
        auto const bytes = TRY(load(used_blocks_ - 1));
        for (usize offset = 0; number == 0 && offset < bytes->size() - tail_bytes; offset += 4)
            number = load32(*bytes, offset);
        if (number == 0)
            --used_blocks_;
    }
    // What the volume itself needs is no orphan, whoever says so.
    if (number != 0 && (number < super.first_inode || number == super.orphan_inode))
        return disk_->corrupt("inode ", number, " is among the orphans, and cannot be one");
    return number;
}

Result<void> Orphans::say_empty()
{
    return set_present(*disk_, false);
}

} // namespace gemel::ext4
