// Layout: ext4 documentation, "Hash Tree Directories".
#include "servers/ext4/index_block.hpp"

#include "servers/ext4/block_map.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/directory_block.hpp"

#include <array>

namespace gemel::ext4 {

namespace {

constexpr usize entry_bytes = 8;
constexpr usize root_info_offset = 24;
constexpr u8 root_info_bytes = 8;

usize capacity(Superblock const& super, IndexLevel level)
{
    auto const slots = (super.block_bytes - IndexBlock::start_of(level)) / entry_bytes;
    return super.has(ReadOnlyCompatible::metadata_csum) ? slots - 1 : slots;
}

usize tail_of(Bytes bytes, IndexLevel level)
{
    return IndexBlock::start_of(level) + IndexBlock(bytes, level).limit() * entry_bytes;
}

u32 index_sum(Inode const& directory, Bytes bytes, IndexLevel level)
{
    std::array<u8, 4> const gap {};
    auto const used = IndexBlock::start_of(level) + IndexBlock(bytes, level).count() * entry_bytes;
    auto const sum = crc32c(directory.checksum_seed, bytes.first(used));
    return crc32c(crc32c(sum, bytes.subspan(tail_of(bytes, level), 4)), gap);
}

Result<void> check_shape(
    Disk& disk, Inode const& directory, Bytes bytes, IndexLevel level, std::string_view where)
{
    auto const bad = [&](std::string_view what) {
        return disk.corrupt("inode ", directory.number, ": hash tree ", where, " ", what);
    };
    if (level == IndexLevel::root
        && (load16(bytes, 4) != 12 || load8(bytes, root_info_offset + 5) != root_info_bytes))
        return bad("is not the root of a hash tree");
    if (level == IndexLevel::node && !looks_like_index_node(bytes))
        return bad("is not part of a hash tree");
    IndexBlock const index(bytes, level);
    if (index.limit() != capacity(disk.super(), level))
        return bad("states an impossible capacity");
    if (index.count() == 0 || index.count() > index.limit())
        return bad("states an impossible number of entries");
    for (usize each = 1; each < index.count(); ++each) {
        if (index.hash(each) < index.hash(each - 1))
            return bad("has hashes out of order");
    }
    return {};
}

} // namespace

usize IndexBlock::find(u32 hash_wanted) const
{
    usize low = 1;
    usize high = count();
    while (low < high) {
        auto const middle = (low + high) / 2;
        if (hash(middle) <= hash_wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

IndexRoot index_root(Bytes root)
{
    return { load8(root, root_info_offset + 4), load8(root, root_info_offset + 6) };
}

bool looks_like_index_node(Bytes block)
{
    auto const bytes = load16(block, 4);
    bool const whole = block.size() < 65536 ? bytes == block.size() : bytes == 0 || bytes == 0xFFFF;
    return load32(block, 0) == 0 && load8(block, 6) == 0 && whole;
}

Result<void> check_index_checksum(
    Disk& disk, Inode const& directory, Bytes bytes, IndexLevel level, std::string_view where)
{
    if (!disk.super().has(ReadOnlyCompatible::metadata_csum))
        return {};
    IndexBlock const index(bytes, level);
    auto const tail = tail_of(bytes, level);
    if (index.count() > index.limit() || tail + 8 > bytes.size()) {
        return disk.corrupt("inode ", directory.number, ": hash tree ", where, " has ",
            index.count(), " entries of ", index.limit());
    }
    auto const computed = index_sum(directory, bytes, level);
    auto const stored = load32(bytes, tail + 4);
    if (stored == computed)
        return {};
    return disk.corrupt("inode ", directory.number, ": hash tree ", where, " has checksum ",
        Hex { stored }, " and should have ", Hex { computed });
}

namespace {

Purpose purpose_of(Inode const& directory, IndexLevel level)
{
    auto const kind
        = level == IndexLevel::root ? Purpose::Kind::directory_root : Purpose::Kind::directory_node;
    return { kind, 0, directory.number };
}

auto index_check(Disk& disk, Inode const& directory, u64 block, IndexLevel level)
{
    return [&disk, &directory, block, level](Bytes bytes) -> Result<void> {
        auto const where = sentence("block ", block);
        TRY(check_index_checksum(disk, directory, bytes, level, where));
        TRY(check_shape(disk, directory, bytes, level, where));
        return check_entries(disk, directory, bytes, where);
    };
}

Result<u64> place_of(Disk& disk, Inode const& directory, u64 file_block)
{
    auto const run = TRY(find_run(disk, directory, file_block));
    if (run.kind == Run::Kind::zeros) {
        return disk.corrupt("inode ", directory.number, ": its hash tree needs file block ",
            file_block, ", a hole");
    }
    return run.disk_block;
}

} // namespace

Result<BlockRef> load_index_block(
    Disk& disk, Inode const& directory, u64 file_block, IndexLevel level)
{
    auto const block = TRY(place_of(disk, directory, file_block));
    return disk.metadata(
        block, purpose_of(directory, level), index_check(disk, directory, block, level));
}

Result<std::span<u8>> change_index_block(
    Disk& disk, Inode const& directory, u64 file_block, IndexLevel level)
{
    auto const block = TRY(place_of(disk, directory, file_block));
    return disk.change(
        block, purpose_of(directory, level), index_check(disk, directory, block, level));
}

std::span<u8> create_index_block(Disk& disk, Inode const& directory, u64 block, IndexLevel level)
{
    return disk.create(block, purpose_of(directory, level));
}

void seal_index_block(
    Superblock const& super, Inode const& directory, std::span<u8> bytes, IndexLevel level)
{
    if (super.has(ReadOnlyCompatible::metadata_csum))
        store32(bytes, tail_of(bytes, level) + 4, index_sum(directory, bytes, level));
}

usize index_capacity(Superblock const& super, IndexLevel level)
{
    return capacity(super, level);
}

} // namespace gemel::ext4
