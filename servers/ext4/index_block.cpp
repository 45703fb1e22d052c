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
    auto const start = IndexBlock::start_of(level);
    auto const tail = start + index.limit() * entry_bytes;
    if (index.count() > index.limit() || tail + 8 > bytes.size()) {
        return disk.corrupt("inode ", directory.number, ": hash tree ", where, " has ",
            index.count(), " entries of ", index.limit());
    }
    std::array<u8, 4> const gap {};
    auto computed
        = crc32c(directory.checksum_seed, bytes.first(start + index.count() * entry_bytes));
    computed = crc32c(crc32c(computed, bytes.subspan(tail, 4)), gap);
    auto const stored = load32(bytes, tail + 4);
    if (stored == computed)
        return {};
    return disk.corrupt("inode ", directory.number, ": hash tree ", where, " has checksum ",
        Hex { stored }, " and should have ", Hex { computed });
}

Result<BlockRef> load_index_block(
    Disk& disk, Inode const& directory, u64 file_block, IndexLevel level)
{
    auto const run = TRY(find_run(disk, directory, file_block));
    if (run.kind == Run::Kind::zeros) {
        return disk.corrupt("inode ", directory.number, ": its hash tree needs file block ",
            file_block, ", a hole");
    }
    auto const kind
        = level == IndexLevel::root ? Purpose::Kind::directory_root : Purpose::Kind::directory_node;
    Purpose const purpose { kind, 0, directory.number };
    return disk.metadata(run.disk_block, purpose, [&](Bytes bytes) -> Result<void> {
        auto const where = sentence("block ", run.disk_block);
        TRY(check_index_checksum(disk, directory, bytes, level, where));
        TRY(check_shape(disk, directory, bytes, level, where));
        return check_entries(disk, directory, bytes, where);
    });
}

} // namespace gemel::ext4
