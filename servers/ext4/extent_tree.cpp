// ExtentNode layout: ext4 documentation, "Extent Tree". Every node states its height and children
// must be one lower, so a walk ends after extent_depth_max steps however the tree is damaged.
#include "servers/ext4/extent_tree.hpp"

#include "servers/ext4/checksum.hpp"

#include <algorithm>

namespace gemel::ext4 {

using namespace extent_layout;

namespace {

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

Result<void> check_extents(Disk& disk, Place place, ExtentNode node)
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

Result<void> check_children(Disk& disk, Place place, ExtentNode node)
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
    ExtentNode const node { bytes };
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
    auto const summed = head_bytes + ExtentNode { bytes }.capacity() * entry_bytes;
    if (summed + tail_bytes > bytes.size())
        return bad_node(disk, place, "has no room for a checksum");
    auto const stored = load32(bytes, summed);
    auto const computed = crc32c(place.inode.checksum_seed, bytes.first(summed));
    if (stored == computed)
        return {};
    return bad_node(
        disk, place, "has checksum ", Hex { stored }, " and should have ", Hex { computed });
}

Purpose purpose_of(Inode const& inode, u16 depth)
{
    return { Purpose::Kind::extent_node, static_cast<u8>(depth), inode.number };
}

auto node_check(Disk& disk, Inode const& inode, u64 block, u16 depth)
{
    return [&disk, &inode, block, depth](Bytes bytes) -> Result<void> {
        Place const place { inode, block };
        TRY(check_checksum(disk, place, bytes));
        return check_node(disk, place, bytes, depth);
    };
}

// `end`: the first file block that the leaf is not responsible for.
Run run_in_leaf(ExtentNode leaf, u64 file_block, u64 end)
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

Result<BlockRef> load_extent_node(Disk& disk, Inode const& inode, u64 block, u16 depth)
{
    return disk.metadata(block, purpose_of(inode, depth), node_check(disk, inode, block, depth));
}

Result<std::span<u8>> change_extent_node(Disk& disk, Inode const& inode, u64 block, u16 depth)
{
    return disk.change(block, purpose_of(inode, depth), node_check(disk, inode, block, depth));
}

std::span<u8> create_extent_node(Disk& disk, Inode const& inode, u64 block, u16 depth)
{
    return disk.create(block, purpose_of(inode, depth));
}

void seal_extent_node(Superblock const& super, Inode const& inode, std::span<u8> bytes)
{
    if (!super.has(ReadOnlyCompatible::metadata_csum))
        return;
    auto const summed = head_bytes + ExtentNode { bytes }.capacity() * entry_bytes;
    store32(bytes, summed, crc32c(inode.checksum_seed, Bytes(bytes).first(summed)));
}

Result<u16> check_extent_root(Disk& disk, Inode const& inode)
{
    Bytes const root(inode.map);
    Place const place { inode, in_the_inode };
    auto const depth = ExtentNode { root }.depth();
    if (depth > extent_depth_max)
        return bad_node(disk, place, "has the impossible depth ", depth);
    TRY(check_node(disk, place, root, depth));
    return depth;
}

Result<Run> find_run_by_extents(Disk& disk, Inode const& inode, u64 file_block)
{
    Bytes const root(inode.map);
    auto depth = TRY(check_extent_root(disk, inode));
    if (file_block >= file_blocks_max)
        return Run { Run::Kind::zeros, 1, 0 };

    ExtentNode node { root };
    BlockRef held;
    u64 end = file_blocks_max;
    for (; depth > 0; --depth) {
        auto const before = node.entries_up_to(file_block);
        if (before < node.entries())
            end = std::min<u64>(end, node.first_block(before));
        if (before == 0)
            return Run { Run::Kind::zeros, end - file_block, 0 };
        held = TRY(
            load_extent_node(disk, inode, node.child(before - 1), static_cast<u16>(depth - 1)));
        node = ExtentNode { *held };
    }
    return run_in_leaf(node, file_block, end);
}

} // namespace gemel::ext4
