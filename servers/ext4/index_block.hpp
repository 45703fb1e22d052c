// One inner block of a directory's hash tree: hashes in order, each with the block that holds the
// names from that hash on. To readers of entries such a block looks like free places.
#pragma once

#include "servers/ext4/inode.hpp"

#include <string_view>

namespace gemel::ext4 {

enum class IndexLevel : u8 {
    root, // block 0, with "." and ".." and the tree's parameters before the hashes
    node,
};

class IndexBlock {
public:
    // Views a block that load_index_block returned for that level.
    IndexBlock(Bytes bytes, IndexLevel level)
        : bytes_(bytes)
        , start_(start_of(level))
    {
    }

    static usize start_of(IndexLevel level) { return level == IndexLevel::root ? 32 : 8; }

    u16 limit() const { return load16(bytes_, start_); }
    u16 count() const { return load16(bytes_, start_ + 2); }
    // The first one's is 0, whatever the disk has in its place.
    u32 hash(usize index) const { return index == 0 ? 0 : load32(bytes_, start_ + 8 * index); }
    // A block of the directory, not of the device.
    u32 block(usize index) const { return load32(bytes_, start_ + 8 * index + 4) & 0x0FFF'FFFF; }
    // The last one whose hash is not above `hash`.
    usize find(u32 hash) const;

private:
    Bytes bytes_;
    usize start_;
};

// The parameters in the root.
struct IndexRoot {
    u8 hash_version;
    u8 levels; // of nodes between the root and the blocks with names
};
IndexRoot index_root(Bytes root);

// Whether the block can only be an inner one, or an empty one with names.
bool looks_like_index_node(Bytes block);

// Accepts any block when the volume has no metadata checksums.
Result<void> check_index_checksum(
    Disk& disk, Inode const& directory, Bytes bytes, IndexLevel level, std::string_view where);

// The directory's block `file_block` as an inner block, verified.
Result<BlockRef> load_index_block(
    Disk& disk, Inode const& directory, u64 file_block, IndexLevel level);
// The same for changes; to be sealed.
Result<std::span<u8>> change_index_block(
    Disk& disk, Inode const& directory, u64 file_block, IndexLevel level);
// A free block that becomes an inner one.
std::span<u8> create_index_block(Disk& disk, Inode const& directory, u64 block, IndexLevel level);
void seal_index_block(
    Superblock const& super, Inode const& directory, std::span<u8> bytes, IndexLevel level);
// Hashes that fit.
usize index_capacity(Superblock const& super, IndexLevel level);

} // namespace gemel::ext4
