// The map of ext4 files: a tree of extents whose root is in the inode.
#pragma once

#include "servers/ext4/block_map.hpp"

#include <optional>

namespace gemel::ext4 {

namespace extent_layout {
inline constexpr u16 node_magic = 0xF30A;
inline constexpr usize head_bytes = 12;
inline constexpr usize entry_bytes = 12;
inline constexpr usize tail_bytes = 4;
inline constexpr u16 extent_depth_max = 5;
inline constexpr u32 written_blocks_max = 32768; // a longer extent is an unwritten one
inline constexpr u64 file_blocks_max = 1ull << 32;
} // namespace extent_layout

struct Extent {
    u64 first;
    u32 blocks;
    Run::Kind kind;
    u64 disk_block;

    u64 end() const { return first + blocks; }
};

// A node whose entry count has been checked.
struct ExtentNode {
    Bytes bytes;

    u16 entries() const { return load16(bytes, 2); }
    u16 capacity() const { return load16(bytes, 4); }
    u16 depth() const { return load16(bytes, 6); }
    Bytes entry(usize index) const
    {
        return bytes.subspan(extent_layout::head_bytes + index * extent_layout::entry_bytes,
            extent_layout::entry_bytes);
    }
    u32 first_block(usize index) const { return load32(entry(index), 0); }
    u64 child(usize index) const { return join(load32(entry(index), 4), load16(entry(index), 8)); }
    Extent extent(usize index) const
    {
        auto const raw = entry(index);
        u32 const length = load16(raw, 4);
        bool const written = length <= extent_layout::written_blocks_max;
        return { load32(raw, 0), written ? length : length - extent_layout::written_blocks_max,
            written ? Run::Kind::data : Run::Kind::zeros, join(load32(raw, 8), load16(raw, 6)) };
    }
    // How many entries start at or before the block: the last of them may hold it.
    usize entries_up_to(u64 file_block) const
    {
        usize low = 0;
        usize high = entries();
        while (low < high) {
            auto const middle = (low + high) / 2;
            if (first_block(middle) <= file_block)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
};

// A node below the root, verified: to read, and for changes. `depth` counts from the leaves.
Result<BlockRef> load_extent_node(Disk& disk, Inode const& inode, u64 block, u16 depth);
Result<std::span<u8>> change_extent_node(Disk& disk, Inode const& inode, u64 block, u16 depth);
std::span<u8> create_extent_node(Disk& disk, Inode const& inode, u64 block, u16 depth);
// Gives a changed node its checksum.
void seal_extent_node(Superblock const& super, Inode const& inode, std::span<u8> bytes);
// The depth of the tree, its root checked.
Result<u16> check_extent_root(Disk& disk, Inode const& inode);

// See find_run.
Result<Run> find_run_by_extents(Disk& disk, Inode const& inode, u64 file_block);

} // namespace gemel::ext4
