#include "tests/ext4/planter.hpp"

#include "servers/ext4/block_map.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/volume_super.hpp"

#include <algorithm>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

constexpr std::string_view kind_names[] { "super.free_blocks", "super.free_inodes", "super.orphan",
    "group.free_blocks", "group.free_inodes", "group.directories", "group.checksum",
    "group.block_bitmap", "group.inode_table", "bitmap.block", "bitmap.inode", "bitmap.padding",
    "inode.links", "inode.blocks", "inode.size", "inode.type", "inode.deleted", "inode.checksum",
    "inode.attributes", "inode.map_block", "inode.map_outside", "inode.map_magic",
    "inode.map_length", "inode.flags", "directory.size", "link.size", "entry.inode",
    "entry.inode_outside", "entry.inode_free", "entry.type", "entry.length", "entry.name_length",
    "entry.slash", "entry.dot", "entry.dot_dot", "entry.checksum", "entry.twice", "tree.hash",
    "tree.child", "tree.count" };

constexpr usize sum_low = 0x7C;
constexpr usize sum_high = 0x82;

} // namespace

std::span<std::string_view const> Planter::kinds()
{
    return kind_names;
}

Planter::Planter(std::vector<u8> const& image)
    : clean_(image)
{
    MemoryDevice device(image);
    MountReport report;
    CollectedErrors errors;
    auto const super = load_superblock(device, report);
    if (!super)
        throw std::runtime_error(report.refusal);
    super_ = *super;
    auto volume = Volume::mount(device, errors, report);
    Disk disk(device, errors, super_);
    image_ = clean_;
    for (u32 number = 2; number <= super_.inodes; ++number) {
        auto const inode = volume->inode(number);
        if (!inode || (number < 11 && number != root_inode))
            continue;
        auto const group = (number - 1) / super_.inodes_per_group;
        Victim victim { number,
            u64 { load32(at(group_offset(group), 32), 8) } * super_.block_bytes
                + (number - 1) % super_.inodes_per_group * super_.inode_bytes,
            inode->mode, {} };
        for (u64 block = 0; !inode->has(InodeFlag::inline_data) && inode->allocated_bytes != 0
             && block * super_.block_bytes < inode->size_bytes;) {
            auto const run = find_run(disk, *inode, block);
            if (!run)
                break;
            for (u64 each = 0; run->kind == Run::Kind::data && each < run->blocks; ++each)
                victim.blocks.push_back(run->disk_block + each);
            block += run->blocks;
        }
        victims_.push_back(std::move(victim));
    }
}

u64 Planter::group_offset(u32 group) const
{
    auto const table = superblock_offset / super_.block_bytes + 1;
    return table * super_.block_bytes + group * super_.descriptor_bytes;
}

void Planter::seal_group(u32 group)
{
    auto const bytes = at(group_offset(group), super_.descriptor_bytes);
    store16(bytes, 0x1E, 0);
    if (super_.has(ReadOnlyCompatible::metadata_csum))
        store16(bytes, 0x1E, static_cast<u16>(crc32c(crc32c(super_.checksum_seed, group), bytes)));
}

void Planter::seal_super()
{
    seal_superblock(at(superblock_offset, superblock_bytes));
}

void Planter::seal_inode(Victim const& victim)
{
    if (!super_.has(ReadOnlyCompatible::metadata_csum))
        return;
    auto const bytes = at(victim.offset, super_.inode_bytes);
    bool const high = bytes.size() > 128 && load16(bytes, 128) >= 4;
    store16(bytes, sum_low, 0);
    if (high)
        store16(bytes, sum_high, 0);
    auto const seed = crc32c(crc32c(super_.checksum_seed, victim.number), load32(bytes, 0x64));
    auto const sum = crc32c(seed, bytes);
    store16(bytes, sum_low, static_cast<u16>(sum));
    if (high)
        store16(bytes, sum_high, static_cast<u16>(sum >> 16));
}

void Planter::seal_bitmap(u32 group)
{
    if (!super_.has(ReadOnlyCompatible::metadata_csum))
        return;
    auto const bytes = at(group_offset(group), super_.descriptor_bytes);
    auto const sum = [&](u32 block, usize count) {
        return crc32c(super_.checksum_seed, at(u64 { block } * super_.block_bytes, count));
    };
    auto const blocks = sum(load32(bytes, 0), super_.blocks_per_group / 8);
    auto const inodes = sum(load32(bytes, 4), super_.inodes_per_group / 8);
    store16(bytes, 0x18, static_cast<u16>(blocks));
    store16(bytes, 0x1A, static_cast<u16>(inodes));
    if (bytes.size() >= 64) {
        store16(bytes, 0x38, static_cast<u16>(blocks >> 16));
        store16(bytes, 0x3A, static_cast<u16>(inodes >> 16));
    }
    seal_group(group);
}

void Planter::seal_directory(Victim const& victim, u64 block)
{
    if (!super_.has(ReadOnlyCompatible::metadata_csum))
        return;
    auto const inode = at(victim.offset, super_.inode_bytes);
    auto const seed = crc32c(crc32c(super_.checksum_seed, victim.number), load32(inode, 0x64));
    auto const bytes = at(block * super_.block_bytes, super_.block_bytes);
    bool const indexed = (load32(inode, 0x20) & static_cast<u32>(InodeFlag::indexed)) != 0;
    if (!indexed || block != victim.blocks[0]) {
        store32(bytes, bytes.size() - 4, crc32c(seed, bytes.first(bytes.size() - 12)));
        return;
    }
    constexpr usize start = 32;
    auto const tail = start + load16(bytes, start) * usize { 8 };
    auto sum = crc32c(seed, bytes.first(start + load16(bytes, start + 2) * usize { 8 }));
    std::array<u8, 4> const gap {};
    sum = crc32c(crc32c(sum, bytes.subspan(tail, 4)), gap);
    store32(bytes, tail + 4, sum);
}

Planter::Victim const& Planter::any(std::mt19937_64& random, u16 kind)
{
    std::vector<Victim const*> fitting;
    for (auto const& each : victims_) {
        if ((each.mode & 0xF000) == kind && (each.number != root_inode || victims_.size() == 1)
            && (kind == 0xA000 || !each.blocks.empty()) && each.number != 11)
            fitting.push_back(&each);
    }
    if (fitting.empty())
        throw std::runtime_error("no inode to damage");
    return *fitting[random() % fitting.size()];
}

void Planter::change16(u64 offset, std::mt19937_64& random, std::string const& what)
{
    auto const bytes = at(offset, 2);
    auto const before = load16(bytes, 0);
    auto const after = static_cast<u16>(before + 1 + random() % 7);
    store16(bytes, 0, after);
    description_ += what + " " + std::to_string(before) + " -> " + std::to_string(after);
}

void Planter::change_group(std::string_view kind, std::mt19937_64& random)
{
    auto const group = static_cast<u32>(random() % super_.groups);
    auto const offset = group_offset(group);
    description_ = "group " + std::to_string(group) + " ";
    if (kind == "group.free_blocks")
        change16(offset + 0xC, random, "free blocks");
    else if (kind == "group.free_inodes")
        change16(offset + 0xE, random, "free inodes");
    else if (kind == "group.directories")
        change16(offset + 0x10, random, "directories");
    else if (kind == "group.block_bitmap")
        change16(offset, random, "block bitmap");
    else if (kind == "group.inode_table")
        change16(offset + 0x8, random, "inode table");
    if (kind == "group.checksum")
        change16(offset + 0x1E, random, "checksum");
    else
        seal_group(group);
}

void Planter::change_bitmap(std::string_view kind, std::mt19937_64& random)
{
    bool const padding = kind == "bitmap.padding";
    u32 const group = 0;
    bool const inodes = kind == "bitmap.inode" || padding;
    auto const block = load32(at(group_offset(group), 32), inodes ? 4 : 0);
    auto const bits = inodes ? super_.inodes_per_group
                             : std::min<u32>(super_.blocks_per_group,
                                 static_cast<u32>(super_.blocks - super_.first_data_block));
    auto const bit = padding ? bits + random() % (super_.block_bytes * 8 - bits) : random() % bits;
    auto& byte = image_[u64 { block } * super_.block_bytes + bit / 8];
    byte = static_cast<u8>(byte ^ 1 << bit % 8);
    description_ = "bit " + std::to_string(bit) + " of block " + std::to_string(block);
    seal_bitmap(group);
}

void Planter::change_inode(std::string_view kind, std::mt19937_64& random)
{
    u16 const type = kind == "directory.size" ? 0x4000 : kind == "link.size" ? 0xA000 : 0x8000;
    auto const& victim = any(random, type);
    auto const bytes = at(victim.offset, super_.inode_bytes);
    bool const extents = (load32(bytes, 0x20) & static_cast<u32>(InodeFlag::extents)) != 0;
    description_ = "inode " + std::to_string(victim.number) + " ";
    if (kind == "inode.links")
        change16(victim.offset + 0x1A, random, "links");
    else if (kind == "inode.blocks")
        change16(victim.offset + 0x1C, random, "sectors");
    else if (kind == "inode.size")
        store32(bytes, 4, 0);
    else if (kind == "directory.size")
        store32(bytes, 4, load32(bytes, 4) + super_.block_bytes * 2);
    else if (kind == "link.size")
        change16(victim.offset + 4, random, "size");
    else if (kind == "inode.type")
        store16(bytes, 0, static_cast<u16>(0x3000 | (victim.mode & 0xFFF)));
    else if (kind == "inode.deleted")
        store32(bytes, 0x14, 0x6000'0000);
    else if (kind == "inode.attributes")
        store32(bytes, 0x68, static_cast<u32>(super_.blocks + random() % 1000));
    else if (kind == "inode.flags")
        store32(bytes, 0x20, load32(bytes, 0x20) ^ static_cast<u32>(InodeFlag::extents));
    else if (kind == "inode.checksum")
        change16(victim.offset + sum_low, random, "checksum");
    else if (kind == "inode.map_magic")
        store16(bytes, 0x28, extents ? 0xF30B : 0xFFFF);
    else if (kind == "inode.map_length")
        store16(bytes, 0x28 + (extents ? 16 : 2), extents ? 0 : 0x7FFF);
    else // A block of another file, or none at all.
        store32(bytes, 0x28 + (extents ? 20 : 0),
            kind == "inode.map_outside" ? static_cast<u32>(super_.blocks + 5)
                                        : static_cast<u32>(any(random, 0x4000).blocks[0]));
    description_ += " of " + std::string(kind);
    if (kind != "inode.checksum")
        seal_inode(victim);
}

void Planter::change_entry(std::string_view kind, std::mt19937_64& random)
{
    bool const tree = kind.substr(0, 4) == "tree";
    bool const dots = kind == "entry.dot" || kind == "entry.dot_dot";
    auto const* victim = &any(random, 0x4000);
    auto const is_large = [](Victim const& each) {
        return (each.mode & 0xF000) == 0x4000 && each.blocks.size() > 4 && each.number != 11;
    };
    if (!dots)
        victim = &*std::find_if(victims_.begin(), victims_.end(), is_large);
    auto const block
        = victim->blocks[tree || dots ? 0 : 1 + random() % (victim->blocks.size() - 1)];
    auto const bytes = at(block * super_.block_bytes, super_.block_bytes);
    description_ = std::string(kind) + " in block " + std::to_string(block);
    auto const other = any(random, 0x8000).number;
    auto const second = load16(bytes, 4);
    if (kind == "entry.inode")
        store32(bytes, 0, other);
    else if (kind == "entry.inode_outside")
        store32(bytes, 0, super_.inodes + 1);
    else if (kind == "entry.inode_free")
        store32(bytes, 0, super_.inodes - 1);
    else if (kind == "entry.type")
        bytes[7] = 6;
    else if (kind == "entry.length")
        store16(bytes, 4, static_cast<u16>(second + 2));
    else if (kind == "entry.name_length")
        bytes[6] = 0xF0;
    else if (kind == "entry.slash")
        bytes[8] = '/';
    else if (kind == "entry.dot")
        store32(bytes, 0, other);
    else if (kind == "entry.dot_dot")
        store32(bytes, 12, victim->number);
    else if (kind == "entry.twice")
        std::copy_n(
            bytes.begin() + 8, std::min(bytes[6], bytes[second + 6u]), bytes.begin() + second + 8);
    else if (kind == "tree.hash")
        store32(bytes, 32 + 8, load32(bytes, 32 + 8) + 0x800'0000);
    else if (kind == "tree.child")
        store32(bytes, 32 + 12, 99'999);
    else if (kind == "tree.count")
        store16(bytes, 32 + 2, static_cast<u16>(load16(bytes, 32 + 2) - 1));
    if (kind == "entry.checksum")
        bytes.back() ^= 0x10;
    else
        seal_directory(*victim, block);
}

std::vector<u8> Planter::plant(std::string_view kind, std::mt19937_64& random)
{
    image_ = clean_;
    description_ = std::string(kind) + ": ";
    auto const family = kind.substr(0, kind.find('.'));
    if (family == "super") {
        auto const bytes = at(superblock_offset, superblock_bytes);
        if (kind == "super.orphan")
            store32(bytes, 0xE8, any(random, 0x4000).number);
        else
            change16(
                superblock_offset + (kind == "super.free_blocks" ? 0xC : 0x10), random, "free");
        seal_super();
    } else if (family == "group") {
        change_group(kind, random);
    } else if (family == "bitmap") {
        change_bitmap(kind, random);
    } else if (family == "inode" || family == "directory" || family == "link") {
        change_inode(kind, random);
    } else {
        change_entry(kind, random);
    }
    return image_;
}

} // namespace gemel::ext4::test
