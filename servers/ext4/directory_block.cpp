// Layout: ext4 documentation, "Linear (Classic) Directories".
#include "servers/ext4/directory_block.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/index_block.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4 {

namespace {

constexpr usize head_bytes = entry_head_bytes;
constexpr usize entry_bytes_min = 12;
constexpr usize tail_bytes = 12;
constexpr u8 tail_type = 0xDE;

// What is wrong with the entry at `offset`; empty when nothing is.
std::string_view fault_at(Superblock const& super, Bytes chain, usize offset)
{
    if (chain.size() - offset < entry_bytes_min)
        return "is cut off";
    auto const entry = entry_at(super, chain, offset);
    if (entry.bytes < entry_bytes_min || entry.bytes % 4 != 0)
        return "has an impossible length";
    if (entry.bytes > chain.size() - offset)
        return "runs past the end";
    if (entry.inode == 0)
        return {};
    if (entry.bytes < head_bytes + load8(chain, offset + 6))
        return "has a name longer than itself";
    if (entry.inode > super.inodes)
        return "names an inode that does not exist";
    constexpr std::string_view forbidden("/\0", 2);
    if (entry.name.empty() || entry.name.find_first_of(forbidden) != std::string_view::npos)
        return "has an impossible name";
    return {};
}

Result<void> check_tail(Disk& disk, Inode const& directory, Bytes bytes, std::string_view where)
{
    if (!disk.super().has(ReadOnlyCompatible::metadata_csum))
        return {};
    auto const tail = bytes.last(tail_bytes);
    if (load32(tail, 0) != 0 || load16(tail, 4) != tail_bytes || load8(tail, 7) != tail_type) {
        return disk.corrupt("inode ", directory.number, ": directory ", where, " has no checksum");
    }
    auto const stored = load32(tail, 8);
    auto const computed = crc32c(directory.checksum_seed, bytes.first(bytes.size() - tail_bytes));
    if (stored == computed)
        return {};
    return disk.corrupt("inode ", directory.number, ": directory ", where, " has checksum ",
        Hex { stored }, " and should have ", Hex { computed });
}

} // namespace

Result<void> check_entries(Disk& disk, Inode const& directory, Bytes chain, std::string_view where)
{
    auto const& super = disk.super();
    for (usize offset = 0; offset < chain.size();) {
        auto const fault = fault_at(super, chain, offset);
        if (!fault.empty()) {
            return disk.corrupt("inode ", directory.number, ": directory ", where,
                ": the entry at byte ", offset, " ", fault);
        }
        offset += entry_at(super, chain, offset).bytes;
    }
    return {};
}

bool is_indexed(Superblock const& super, Inode const& directory)
{
    return super.has(Compatible::dir_index) && directory.has(InodeFlag::indexed)
        && !directory.has(InodeFlag::inline_data);
}

usize chain_bytes(Superblock const& super)
{
    return super.block_bytes - (super.has(ReadOnlyCompatible::metadata_csum) ? tail_bytes : 0);
}

Result<std::span<u8>> change_directory_block(Disk& disk, Inode const& directory, u64 file_block)
{
    auto const run = TRY(find_run(disk, directory, file_block));
    if (run.kind == Run::Kind::zeros)
        return disk.corrupt("inode ", directory.number, ": file block ", file_block, " is a hole");
    Purpose const purpose { Purpose::Kind::directory_block, 0, directory.number };
    return disk.change(run.disk_block, purpose, [&](Bytes bytes) -> Result<void> {
        auto const where = sentence("block ", run.disk_block);
        TRY(check_tail(disk, directory, bytes, where));
        return check_entries(disk, directory, bytes, where);
    });
}

std::span<u8> create_directory_block(Disk& disk, Inode const& directory, u64 block)
{
    auto const& super = disk.super();
    auto const bytes = disk.create(block, { Purpose::Kind::directory_block, 0, directory.number });
    store16(bytes, 4, static_cast<u16>(chain_bytes(super)));
    if (super.has(ReadOnlyCompatible::metadata_csum)) {
        auto const tail = bytes.last(tail_bytes);
        store16(tail, 4, tail_bytes);
        store8(tail, 7, tail_type);
    }
    return bytes;
}

void seal_directory_block(Superblock const& super, Inode const& directory, std::span<u8> bytes)
{
    if (!super.has(ReadOnlyCompatible::metadata_csum))
        return;
    auto const summed = bytes.size() - tail_bytes;
    store32(bytes, summed + 8, crc32c(directory.checksum_seed, Bytes(bytes).first(summed)));
}

Result<BlockRef> load_directory_block(Disk& disk, Inode const& directory, u64 file_block)
{
    bool const indexed = is_indexed(disk.super(), directory);
    if (indexed && file_block == 0)
        return load_index_block(disk, directory, file_block, IndexLevel::root);
    auto const run = TRY(find_run(disk, directory, file_block));
    if (run.kind == Run::Kind::zeros)
        return BlockRef {};
    Purpose const purpose { Purpose::Kind::directory_block, 0, directory.number };
    return disk.metadata(run.disk_block, purpose, [&](Bytes bytes) -> Result<void> {
        auto const where = sentence("block ", run.disk_block);
        if (indexed && looks_like_index_node(bytes))
            TRY(check_index_checksum(disk, directory, bytes, IndexLevel::node, where));
        else
            TRY(check_tail(disk, directory, bytes, where));
        return check_entries(disk, directory, bytes, where);
    });
}

} // namespace gemel::ext4
