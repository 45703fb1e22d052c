// Field offsets: ext4 documentation, "Index Nodes".
#include "servers/ext4/inode_table.hpp"

#include "servers/ext4/group_table.hpp"
#include "servers/ext4/map_edit.hpp"

#include <algorithm>
#include <limits>

namespace gemel::ext4 {

namespace {

constexpr i64 ns_per_second = 1'000'000'000;
constexpr u16 extra_bytes_wanted = 32; // up to the end of the birth time
constexpr u32 sector_bytes = 512;
constexpr u16 type_bits = 0xF000;
constexpr u16 type_directory = 0x4000;
constexpr u16 type_regular = 0x8000;

u32 extra_of(Timestamp time)
{
    auto const epoch = static_cast<u64>(time.seconds - static_cast<i32>(time.seconds)) >> 32 & 3;
    return static_cast<u32>(epoch) | time.nanoseconds << 2;
}

constexpr i64 first_second = std::numeric_limits<i32>::min(); // in 1901
constexpr i64 last_second = std::numeric_limits<i32>::max(); // in 2038
constexpr i64 last_extra_second = first_second + (i64 { 1 } << 34) - 1; // in 2446

// The nearest time that there are bits for.
Timestamp nearest(Timestamp time, i64 last)
{
    if (time.seconds <= first_second)
        return { first_second, 0 };
    return time.seconds >= last ? Timestamp { last, 0 } : time;
}

// Of 32 bits, behind the first 128.
bool has_field(Bytes bytes, usize offset)
{
    return bytes.size() > 128 && offset + 4 <= 128u + load16(bytes, 0x80);
}

void store_times(std::span<u8> bytes, Inode const& inode)
{
    auto const put = [&](usize offset, usize extra_offset, Timestamp time) {
        bool const has_extra = has_field(bytes, extra_offset);
        auto const stored = nearest(time, has_extra ? last_extra_second : last_second);
        store32(bytes, offset, static_cast<u32>(stored.seconds));
        if (has_extra)
            store32(bytes, extra_offset, extra_of(stored));
    };
    put(0x8, 0x8C, inode.accessed);
    put(0xC, 0x84, inode.changed);
    put(0x10, 0x88, inode.modified);
    constexpr usize created_offset = 0x90;
    if (inode.created && has_field(bytes, created_offset))
        put(created_offset, 0x94, *inode.created);
}

// What says that something else changed than when it was read.
std::array<u32, 4> marks_in(Bytes bytes)
{
    auto const field
        = [&](usize offset) { return has_field(bytes, offset) ? load32(bytes, offset) : 0; };
    return { load32(bytes, 0xC), load32(bytes, 0x10), field(0x84), field(0x88) };
}

// The inode's version, of which the upper half may have no place.
void count_change(std::span<u8> bytes)
{
    auto const low = load32(bytes, 0x24) + 1;
    store32(bytes, 0x24, low);
    if (low == 0 && has_field(bytes, 0x98))
        store32(bytes, 0x98, load32(bytes, 0x98) + 1);
}

void store_attributes(
    Superblock const& super, std::span<u8> bytes, Inode const& inode, u64 size_bytes)
{
    store16(bytes, 0x0, inode.mode);
    store16(bytes, 0x2, static_cast<u16>(inode.user));
    store32(bytes, 0x4, static_cast<u32>(size_bytes));
    store32(bytes, 0x14, inode.deleted);
    store16(bytes, 0x18, static_cast<u16>(inode.group));
    store16(bytes, 0x1A, static_cast<u16>(inode.links));
    store32(bytes, 0x20, inode.flags);
    store32(bytes, 0x64, inode.generation);
    store32(bytes, 0x68, static_cast<u32>(inode.attribute_block));
    if (inode.type() == FileType::regular || super.has(Incompatible::large_dir))
        store32(bytes, 0x6C, static_cast<u32>(size_bytes >> 32));
    auto const unit = inode.has(InodeFlag::huge_file) ? super.block_bytes : sector_bytes;
    auto const count = inode.allocated_bytes / unit;
    store32(bytes, 0x1C, static_cast<u32>(count));
    if (super.has(ReadOnlyCompatible::huge_file))
        store16(bytes, 0x74, static_cast<u16>(count >> 32));
    if (super.has(Incompatible::wide))
        store16(bytes, 0x76, static_cast<u16>(inode.attribute_block >> 32));
    store16(bytes, 0x78, static_cast<u16>(inode.user >> 16));
    store16(bytes, 0x7A, static_cast<u16>(inode.group >> 16));
    if (super.has(ReadOnlyCompatible::project) && has_field(bytes, project_offset))
        store32(bytes, project_offset, inode.project);
    std::copy(inode.map.begin(), inode.map.end(), bytes.begin() + 0x28);
}

// The first free inode of the group, so that what lies behind the used ones stays unused.
Result<u32> take_inode(Disk& disk, u32 group, bool is_directory)
{
    auto const& super = disk.super();
    u32 bit = 0;
    TRY(edit_bitmap(disk, group, BitmapKind::inodes,
        [&](std::span<u8> bitmap, std::span<u8> descriptor) -> Result<void> {
            while (bit < super.inodes_per_group && (bitmap[bit / 8] >> bit % 8 & 1) != 0)
                bit += bit % 8 == 0 && bitmap[bit / 8] == 0xFF ? 8 : 1;
            bit = std::min(bit, super.inodes_per_group);
            auto const free = load_field(descriptor, group_field::free_inodes);
            if (bit == super.inodes_per_group || free == 0) {
                return disk.corrupt("group ", group, ": its bitmap of inodes and its descriptor ",
                    "do not agree on free inodes, ", free);
            }
            bitmap[bit / 8] = static_cast<u8>(bitmap[bit / 8] | 1u << bit % 8);
            store_field(descriptor, group_field::free_inodes, free - 1);
            if (is_directory) {
                store_field(descriptor, group_field::directories,
                    load_field(descriptor, group_field::directories) + 1);
            }
            if (has_group_sums(super)) {
                auto const unused = load_field(descriptor, group_field::unused_inodes);
                store_field(descriptor, group_field::unused_inodes,
                    std::min<u64>(unused, super.inodes_per_group - bit - 1));
            }
            return {};
        }));
    TRY(add_free_inodes(disk, -1));
    return group * super.inodes_per_group + bit + 1;
}

} // namespace

Timestamp timestamp_of(i64 now_ns)
{
    auto seconds = now_ns / ns_per_second;
    auto rest = now_ns % ns_per_second;
    if (rest < 0) {
        --seconds;
        rest += ns_per_second;
    }
    return { seconds, static_cast<u32>(rest) };
}

Result<void> write_inode(Disk& disk, Inode const& inode)
{
    auto const bytes = TRY(change_inode_bytes(disk, inode.number));
    auto const size_bytes = disk.waiting().note_inode(inode.number, inode.size_bytes);
    auto const before = marks_in(bytes);
    store_attributes(disk.super(), bytes, inode, size_bytes);
    store_times(bytes, inode);
    // Of a value, the field counts who uses it.
    if (marks_in(bytes) != before && !inode.has(InodeFlag::value))
        count_change(bytes);
    seal_inode(disk.super(), inode.number, bytes);
    return {};
}

// Where the directory says so its files belong to its project, and its directories say so, too.
void take_over_project(Inode& inode, Inode const& parent)
{
    if (!parent.has(InodeFlag::inherits_project))
        return;
    inode.project = parent.project;
    if (inode.is_directory())
        inode.flags |= static_cast<u32>(InodeFlag::inherits_project);
}

Result<Inode> allocate_inode(Disk& disk, Inode const& parent, NewInode const& made)
{
    auto const& super = disk.super();
    auto const type = made.mode & type_bits;
    bool const is_directory = type == type_directory;
    auto const group = TRY(is_directory ? disk.placement().group_for_directory(disk, parent)
                                        : disk.placement().group_for_file(disk, parent));
    auto const number = TRY(take_inode(disk, group, is_directory));
    auto const bytes = TRY(change_inode_bytes(disk, number));
    std::fill(bytes.begin(), bytes.end(), u8 { 0 });
    if (super.inode_bytes > 128)
        store16(bytes, 0x80, extra_bytes_wanted);
    Inode inode {};
    inode.number = number;
    inode.mode = made.mode;
    inode.user = made.user;
    inode.group = made.group;
    inode.generation = made.generation;
    inode.checksum_seed = inode_checksum_seed(super, number, made.generation);
    inode.accessed = inode.modified = inode.changed = timestamp_of(made.now_ns);
    inode.created = inode.changed;
    if (super.has(ReadOnlyCompatible::project))
        take_over_project(inode, parent);
    if (is_directory || type == type_regular)
        start_map(super, inode);
    TRY(write_inode(disk, inode));
    return inode;
}

Result<void> free_inode(Disk& disk, Inode& inode, i64 now_ns)
{
    auto const& super = disk.super();
    auto const group = (inode.number - 1) / super.inodes_per_group;
    auto const bit = (inode.number - 1) % super.inodes_per_group;
    TRY(edit_bitmap(disk, group, BitmapKind::inodes,
        [&](std::span<u8> bitmap, std::span<u8> descriptor) -> Result<void> {
            if ((bitmap[bit / 8] >> bit % 8 & 1) == 0)
                return disk.corrupt("inode ", inode.number, " is freed twice");
            bitmap[bit / 8] = static_cast<u8>(bitmap[bit / 8] & ~(1u << bit % 8));
            store_field(descriptor, group_field::free_inodes,
                load_field(descriptor, group_field::free_inodes) + 1);
            if (inode.is_directory()) {
                store_field(descriptor, group_field::directories,
                    load_field(descriptor, group_field::directories) - 1);
                disk.placement().note_removed_directory();
            }
            return {};
        }));
    TRY(add_free_inodes(disk, 1));
    inode.links = 0;
    inode.deleted = std::max(1u, static_cast<u32>(now_ns / ns_per_second));
    return write_inode(disk, inode);
}

} // namespace gemel::ext4
