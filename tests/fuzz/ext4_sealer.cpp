#include "tests/fuzz/ext4_sealer.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/directory_block.hpp"
#include "servers/ext4/extent_tree.hpp"
#include "servers/ext4/group.hpp"
#include "servers/ext4/group_table.hpp"
#include "servers/ext4/volume_super.hpp"
#include "tests/ext4/log_writer.hpp"

#include <algorithm>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

constexpr usize extra_size_offset = 128; // in an inode
constexpr usize attributes_sum = 0x10;
constexpr usize orphan_tail_bytes = 8;
constexpr usize entry_bytes_min = 12;

u32 crc32c_of_block_number(u32 seed, u64 block)
{
    return crc32c(crc32c(seed, static_cast<u32>(block)), static_cast<u32>(block >> 32));
}

bool has_map_blocks(Inode const& inode)
{
    auto const type = inode.type();
    bool const link_inside = type == FileType::symbolic_link && inode.size_bytes < inode_map_bytes;
    return !inode.has(InodeFlag::inline_data) && !link_inside
        && (type == FileType::regular || type == FileType::directory
            || type == FileType::symbolic_link);
}

} // namespace

Sealer::Sealer(std::vector<u8> const& image)
    : structures_(kinds)
{
    MemoryDevice device(image);
    MountReport report;
    CollectedErrors errors;
    auto const super = load_superblock(device, report);
    if (!super)
        throw std::runtime_error(report.refusal);
    super_ = *super;
    Disk disk(device, errors, super_);
    add(Kind::superblock, superblock_offset, superblock_bytes, 0);
    add_groups(disk);
    for (u32 number = 1; number <= super_.inodes; ++number)
        add_inode(disk, number);
    for (auto const& each : structures_[static_cast<usize>(Kind::group)])
        groups_.push_back(&each);
}

void Sealer::add(Kind kind, u64 offset, usize bytes, usize owner)
{
    structures_[static_cast<usize>(kind)].push_back({ kind, offset, bytes, owner });
}

void Sealer::add_groups(Disk& disk)
{
    for (u32 group = 0; group < super_.groups; ++group) {
        auto const place = place_of_group(super_, group);
        add(Kind::group, place.block * super_.block_bytes + place.offset, super_.descriptor_bytes,
            group);
        auto const descriptor = load_group(disk, group).value();
        auto const block_of
            = [&](GroupField field) { return load_field(descriptor, field) * super_.block_bytes; };
        add(Kind::block_bitmap, block_of(group_field::block_bitmap), super_.block_bytes, group);
        add(Kind::inode_bitmap, block_of(group_field::inode_bitmap), super_.block_bytes, group);
    }
}

void Sealer::add_inode(Disk& disk, u32 number)
{
    auto const place = place_of_inode(disk, number);
    auto const inode = read_inode(disk, number, InodeUse::any);
    if (!place || !inode)
        return;
    add(Kind::inode, place->block * super_.block_bytes + place->offset, super_.inode_bytes, number);
    inodes_.push_back(*inode);
    if (inode->attribute_block != 0) {
        add(Kind::attributes, inode->attribute_block * super_.block_bytes, super_.block_bytes,
            inodes_.size() - 1);
    }
    if (!has_map_blocks(*inode))
        return;
    if (inode->has(InodeFlag::extents)) {
        ExtentNode const root { Bytes(inode->map) };
        for (usize each = 0; root.depth() > 0 && each < root.entries(); ++each)
            add_map(disk, *inode, root.child(each), static_cast<u16>(root.depth() - 1));
    }
    add_contents(disk, *inode);
}

void Sealer::add_map(Disk& disk, Inode const& inode, u64 block, u16 depth)
{
    add(Kind::extent_node, block * super_.block_bytes, super_.block_bytes, inodes_.size() - 1);
    auto const bytes = load_extent_node(disk, inode, block, depth).value();
    ExtentNode const node { Bytes(*bytes) };
    for (usize each = 0; depth > 0 && each < node.entries(); ++each)
        add_map(disk, inode, node.child(each), static_cast<u16>(depth - 1));
}

void Sealer::add_contents(Disk& disk, Inode const& inode)
{
    bool const orphans = super_.orphan_inode != 0 && inode.number == super_.orphan_inode;
    if (!inode.is_directory() && !orphans)
        return;
    for (u64 at = 0; at * super_.block_bytes < inode.size_bytes; ++at) {
        auto const found = find_run(disk, inode, at);
        if (!found || found->kind != Run::Kind::data)
            continue;
        auto kind = orphans ? Kind::orphan_block : Kind::directory_block;
        if (!orphans && is_indexed(super_, inode)) {
            std::vector<u8> bytes(super_.block_bytes);
            (void)disk.contents(found->disk_block, 0, bytes, inode.number);
            kind = at == 0                     ? Kind::index_root
                : looks_like_index_node(bytes) ? Kind::index_node
                                               : kind;
        }
        add(kind, found->disk_block * super_.block_bytes, super_.block_bytes, inodes_.size() - 1);
    }
}

usize Sealer::any_byte(std::mt19937_64& random) const
{
    while (true) {
        auto const& some = structures_[random() % kinds];
        if (some.empty())
            continue;
        auto const& one = some[random() % some.size()];
        return one.offset + random() % one.bytes;
    }
}

void Sealer::seal(std::span<u8> image, usize offset) const
{
    for (auto const& some : structures_) {
        for (auto const& each : some) {
            if (offset >= each.offset && offset - each.offset < each.bytes)
                seal(image, each);
        }
    }
}

void Sealer::seal_group(std::span<u8> image, usize group) const
{
    auto const bytes = image.subspan(groups_[group]->offset, groups_[group]->bytes);
    if (has_group_sums(super_))
        store16(
            bytes, 0x1E, static_cast<u16>(group_checksum(super_, static_cast<u32>(group), bytes)));
}

void Sealer::seal_bitmap(std::span<u8> image, Structure const& structure) const
{
    if (super_.has(ReadOnlyCompatible::metadata_csum)) {
        bool const blocks = structure.kind == Kind::block_bitmap;
        auto const bits = blocks ? super_.blocks_per_group : super_.inodes_per_group;
        auto const place = *groups_[structure.owner];
        store_field(image.subspan(place.offset, place.bytes),
            blocks ? group_field::block_bitmap_sum : group_field::inode_bitmap_sum,
            crc32c(super_.checksum_seed, image.subspan(structure.offset, bits / 8)));
    }
    seal_group(image, structure.owner);
}

void Sealer::seal(std::span<u8> image, Structure const& structure) const
{
    auto const bytes = image.subspan(structure.offset, structure.bytes);
    auto const seal_index = [&](IndexLevel level) {
        IndexBlock const index(bytes, level);
        if (index.count() <= index.limit()
            && IndexBlock::start_of(level) + (index.limit() + usize { 1 }) * 8 <= bytes.size())
            seal_index_block(super_, inodes_[structure.owner], bytes, level);
    };
    bool const summed = super_.has(ReadOnlyCompatible::metadata_csum);
    switch (structure.kind) {
    case Kind::superblock:
        return seal_superblock(bytes);
    case Kind::group:
        return seal_group(image, structure.owner);
    case Kind::block_bitmap:
    case Kind::inode_bitmap:
        return seal_bitmap(image, structure);
    case Kind::inode:
        if (bytes.size() == 128 || load16(bytes, extra_size_offset) <= bytes.size() - 128)
            seal_inode(super_, static_cast<u32>(structure.owner), bytes);
        return;
    case Kind::extent_node: {
        auto const end = (ExtentNode { bytes }.capacity() + usize { 1 }) * 12;
        if (end + 4 <= bytes.size())
            seal_extent_node(super_, inodes_[structure.owner], bytes);
        return;
    }
    case Kind::directory_block:
        return seal_directory_block(super_, inodes_[structure.owner], bytes);
    case Kind::index_root:
        return seal_index(IndexLevel::root);
    case Kind::index_node:
        return seal_index(IndexLevel::node);
    case Kind::attributes:
        if (summed) {
            store32(bytes, attributes_sum, 0);
            store32(bytes, attributes_sum,
                crc32c(crc32c_of_block_number(
                           super_.checksum_seed, structure.offset / super_.block_bytes),
                    bytes));
        }
        return;
    case Kind::orphan_block:
        if (summed) {
            auto const seed = crc32c_of_block_number(
                inodes_[structure.owner].checksum_seed, structure.offset / super_.block_bytes);
            store32(bytes, bytes.size() - 4,
                crc32c(seed, bytes.first(bytes.size() - orphan_tail_bytes)));
        }
        return;
    }
}

void Sealer::wipe_unused_entries(std::span<u8> image) const
{
    for (auto const& each : structures_[static_cast<usize>(Kind::directory_block)]) {
        auto const bytes = image.subspan(each.offset, chain_bytes(super_));
        for (usize offset = 0; offset + entry_bytes_min <= bytes.size();) {
            auto const entry = entry_at(super_, bytes, offset);
            auto const used
                = entry.inode == 0 ? entry_head_bytes - 2 : entry_head_bytes + entry.name.size();
            std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(offset + used),
                bytes.begin() + static_cast<std::ptrdiff_t>(offset + entry.bytes), u8 { 0 });
            offset += entry.bytes;
        }
        seal(image, each);
    }
}

bool Sealer::fits(std::vector<u8> const& image) const
{
    auto sealed = image;
    for (auto const& some : structures_) {
        for (auto const& each : some)
            seal(sealed, each);
    }
    return sealed == image;
}

} // namespace gemel::ext4::test
