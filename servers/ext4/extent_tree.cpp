// Node layout: ext4 documentation, "Extent Tree". Every node states its height and children must be
// one lower, so a walk ends after extent_depth_max steps however the tree is damaged.
#include "servers/ext4/extent_tree.hpp"

#include "servers/ext4/checksum.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u16 node_magic = 0xF30A;
constexpr usize head_bytes = 12;
constexpr usize entry_bytes = 12;
constexpr usize tail_bytes = 4;
constexpr u16 extent_depth_max = 5;
constexpr u32 written_blocks_max = 32768; // a longer extent is an unwritten one
constexpr u64 file_blocks_max = 1ull << 32;

struct Extent {
    u64 first;
    u32 blocks;
    Run::Kind kind;
    u64 disk_block;

    u64 end() const { return first + blocks; }
};

// A node whose entry count has been checked.
struct Node {
    Bytes bytes;

    u16 entries() const { return load16(bytes, 2); }
    u16 capacity() const { return load16(bytes, 4); }
    u16 depth() const { return load16(bytes, 6); }
    Bytes entry(usize index) const
    {
        return bytes.subspan(head_bytes + index * entry_bytes, entry_bytes);
    }
    u32 first_block(usize index) const { return load32(entry(index), 0); }
    u64 child(usize index) const { return join(load32(entry(index), 4), load16(entry(index), 8)); }
    Extent extent(usize index) const
    {
        auto const raw = entry(index);
        u32 const length = load16(raw, 4);
        bool const written = length <= written_blocks_max;
        return { load32(raw, 0), written ? length : length - written_blocks_max,
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

constexpr u64 in_the_inode = ~0ull;

// Where a node was found, for messages.
struct Place {
    Inode const& inode;
    u64 block;
};

template <typename... Parts>
Error bad_node(Disk& disk, Place place, Parts const&... parts)
{
    if (place.block == in_the_inode)
        return disk.corrupt("inode ", place.inode.number, ": its extent root ", parts...);
    return disk.corrupt(
        "inode ", place.inode.number, ": extent block ", place.block, " ", parts...);
}

Result<void> check_extents(Disk& disk, Place place, Node node)
{
    auto const& super = disk.super();
    u64 free_from = 0;
    for (usize index = 0; index < node.entries(); ++index) {
        auto const extent = node.extent(index);
        if (extent.blocks == 0 || extent.first < free_from)
            return bad_node(disk, place, "has extents out of order at file block ", extent.first);
        if (!super.holds_block(extent.disk_block)
            || extent.blocks > super.blocks - extent.disk_block) {
            return bad_node(disk, place, "maps file block ", extent.first, " to block ",
                extent.disk_block, ", outside the volume");
        }
        free_from = extent.end();
    }
    return {};
}

Result<void> check_children(Disk& disk, Place place, Node node)
{
    if (node.entries() == 0)
        return bad_node(disk, place, "has no children");
    for (usize index = 0; index < node.entries(); ++index) {
        if (index > 0 && node.first_block(index) <= node.first_block(index - 1))
            return bad_node(disk, place, "has children out of order");
        if (!disk.super().holds_block(node.child(index))) {
            return bad_node(
                disk, place, "has the child block ", node.child(index), ", outside the volume");
        }
    }
    return {};
}

Result<void> check_node(Disk& disk, Place place, Bytes bytes, u16 depth)
{
    Node const node { bytes };
    if (load16(bytes, 0) != node_magic)
        return bad_node(disk, place, "has no extent header");
    if (node.depth() != depth)
        return bad_node(disk, place, "has depth ", node.depth(), " and should have ", depth);
    if (node.entries() > node.capacity()
        || head_bytes + node.capacity() * entry_bytes > bytes.size())
        return bad_node(disk, place, "has ", node.entries(), " entries of ", node.capacity());
    return depth == 0 ? check_extents(disk, place, node) : check_children(disk, place, node);
}

Result<void> check_checksum(Disk& disk, Place place, Bytes bytes)
{
    if (!disk.super().has(ReadOnlyCompatible::metadata_csum))
        return {};
    auto const summed = head_bytes + Node { bytes }.capacity() * entry_bytes;
    if (summed + tail_bytes > bytes.size())
        return bad_node(disk, place, "has no room for a checksum");
    auto const stored = load32(bytes, summed);
    auto const computed = crc32c(place.inode.checksum_seed, bytes.first(summed));
    if (stored == computed)
        return {};
    return bad_node(
        disk, place, "has checksum ", Hex { stored }, " and should have ", Hex { computed });
}

Result<BlockRef> load_node(Disk& disk, Inode const& inode, u64 block, u16 depth)
{
    Place const place { inode, block };
    Purpose const purpose { Purpose::Kind::extent_node, static_cast<u8>(depth), inode.number };
    return disk.metadata(block, purpose, [&](Bytes bytes) -> Result<void> {
        TRY(check_checksum(disk, place, bytes));
        return check_node(disk, place, bytes, depth);
    });
}

// `end`: the first file block that the leaf is not responsible for.
Run run_in_leaf(Node leaf, u64 file_block, u64 end)
{
    auto const before = leaf.entries_up_to(file_block);
    if (before < leaf.entries())
        end = std::min<u64>(end, leaf.first_block(before));
    if (before > 0) {
        auto const extent = leaf.extent(before - 1);
        if (file_block < extent.end()) {
            auto const skipped = file_block - extent.first;
            return { extent.kind, extent.blocks - skipped, extent.disk_block + skipped };
        }
    }
    return { Run::Kind::zeros, end - file_block, 0 };
}

} // namespace

Result<Run> find_run_by_extents(Disk& disk, Inode const& inode, u64 file_block)
{
    Bytes const root(inode.map);
    Place const place { inode, in_the_inode };
    auto depth = Node { root }.depth();
    if (depth > extent_depth_max)
        return bad_node(disk, place, "has the impossible depth ", depth);
    TRY(check_node(disk, place, root, depth));
    if (file_block >= file_blocks_max)
        return Run { Run::Kind::zeros, 1, 0 };

    Node node { root };
    BlockRef held;
    u64 end = file_blocks_max;
    for (; depth > 0; --depth) {
        auto const before = node.entries_up_to(file_block);
        if (before < node.entries())
            end = std::min<u64>(end, node.first_block(before));
        if (before == 0)
            return Run { Run::Kind::zeros, end - file_block, 0 };
        held = TRY(load_node(disk, inode, node.child(before - 1), static_cast<u16>(depth - 1)));
        node = Node { *held };
    }
    return run_in_leaf(node, file_block, end);
}

} // namespace gemel::ext4
