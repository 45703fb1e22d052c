#include "servers/ext4/value_inode.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/contents.hpp"
#include "servers/ext4/extent_tree.hpp"
#include "servers/ext4/file_edit.hpp"
#include "servers/ext4/inode_table.hpp"
#include "servers/ext4/map_edit.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4 {

namespace {

constexpr u16 value_mode = 0100600;
// The count of references has its upper half in the time of change, its lower one here
// (l_i_version); the hash of the value is in the time of access.
constexpr usize count_offset = 0x24;
constexpr i64 ns_per_second = 1'000'000'000;
// Steps of free_some_blocks; a value has 64 extents at most, in blocks of 1 KiB.
constexpr u32 freeing_steps_max = 16;

u32 hash_of_value(Superblock const& super, Bytes value)
{
    return crc32c(super.checksum_seed, value);
}

u32 hash_kept_in(Inode const& inode)
{
    return static_cast<u32>(inode.accessed.seconds);
}

// Before there were counts such an inode named its owner instead, and had that one alone.
bool is_of_old_kind(Inode const& owner, Inode const& inode)
{
    return inode.modified.seconds == owner.number && inode.generation == owner.generation;
}

Result<Inode> read_value_inode(Disk& disk, Attribute const& attribute)
{
    auto inode = TRY(read_inode(disk, attribute.value_inode, InodeUse::value));
    if (inode.type() != FileType::regular || inode.size_bytes != attribute.value_bytes
        || attribute.value_bytes > value_bytes_max) {
        return disk.corrupt("inode ", inode.number, ": it should hold a value of ",
            attribute.value_bytes, " bytes");
    }
    return inode;
}

// What a value adds to the blocks of each inode that has it.
u64 charged_bytes(Disk& disk, Attribute const& attribute)
{
    return align_up<u64>(attribute.value_bytes, disk.super().block_bytes);
}

Result<u64> references_of(Disk& disk, Inode const& inode)
{
    auto const place = TRY(place_of_inode(disk, inode.number));
    auto const held = TRY(disk.metadata(
        place.block, { Purpose::Kind::inode_table }, [](Bytes) { return Result<void> {}; }));
    return join(
        load32(*held, place.offset + count_offset), static_cast<u32>(inode.changed.seconds));
}

Result<void> write_with_references(Disk& disk, Inode& inode, u64 references)
{
    inode.changed = { static_cast<i32>(references >> 32), 0 };
    TRY(write_inode(disk, inode));
    auto const bytes = TRY(change_inode_bytes(disk, inode.number));
    store32(bytes, count_offset, static_cast<u32>(references));
    seal_inode(disk.super(), inode.number, bytes);
    return {};
}

Result<void> free_value(Disk& disk, Inode& inode, i64 now_ns)
{
    for (u32 step = 0; step < freeing_steps_max; ++step) {
        if (maps_blocks(inode)
            && TRY(free_some_blocks(disk, inode, 0, extent_layout::file_blocks_max))
                == Progress::more)
            continue;
        inode.size_bytes = 0;
        return free_inode(disk, inode, now_ns);
    }
    return disk.corrupt("inode ", inode.number, ": it holds more than its value");
}

} // namespace

u32 hash_of_entry(std::string_view name, Bytes words)
{
    u32 hash = 0;
    for (auto const each : name)
        hash = hash << 5 ^ hash >> 27 ^ static_cast<u8>(each);
    for (usize offset = 0; offset < words.size(); offset += 4) {
        std::array<u8, 4> word {};
        auto const part = words.subspan(offset, std::min<usize>(4, words.size() - offset));
        std::copy(part.begin(), part.end(), word.begin());
        hash = hash << 16 ^ hash >> 16 ^ load32(word, 0);
    }
    return hash;
}

Result<Attribute> move_value_out(Disk& disk, Inode& owner, Attribute const& attribute)
{
    auto const& value = attribute.value;
    auto const now_ns = owner.changed.seconds * ns_per_second + owner.changed.nanoseconds;
    // Another generation than its owner's: see is_of_old_kind.
    auto inode = TRY(allocate_inode(
        disk, owner, { value_mode, owner.user, owner.group, now_ns, owner.generation + 1 }));
    inode.flags |= static_cast<u32>(InodeFlag::value);
    inode.links = 1;
    auto const hash = hash_of_value(disk.super(), value);
    inode.accessed = { static_cast<i32>(hash), 0 };
    for (usize done = 0; done < value.size();)
        done
            += TRY(write_mapped_piece(disk, inode, done, Bytes(value).subspan(done), Placing::now));
    TRY(write_with_references(disk, inode, 1));
    std::array<u8, 4> word {};
    store32(word, 0, hash);
    Attribute entry { attribute.name, {}, inode.number, static_cast<u32>(value.size()),
        hash_of_entry(attribute.name.rest, word), true };
    owner.allocated_bytes += charged_bytes(disk, entry);
    return entry;
}

Result<std::vector<u8>> value_of(Disk& disk, Inode const& owner, Attribute const& attribute)
{
    if (attribute.value_inode == 0)
        return attribute.value;
    auto const inode = TRY(read_value_inode(disk, attribute));
    std::vector<u8> value(attribute.value_bytes);
    auto const got = TRY(read_contents(disk, inode, 0, value));
    if (got != value.size())
        return disk.corrupt("inode ", inode.number, ": a value that is cut off");
    if (!is_of_old_kind(owner, inode)
        && hash_kept_in(inode) != hash_of_value(disk.super(), value)) {
        return disk.corrupt("inode ", inode.number, ": it holds another value than its hash says");
    }
    return value;
}

Result<void> add_reference(Disk& disk, Inode const& owner, Attribute const& attribute)
{
    auto inode = TRY(read_value_inode(disk, attribute));
    if (is_of_old_kind(owner, inode))
        return disk.corrupt("inode ", inode.number, ": a value that cannot be shared is");
    return write_with_references(disk, inode, TRY(references_of(disk, inode)) + 1);
}

Result<void> leave_value(Disk& disk, Inode& owner, Attribute const& attribute)
{
    if (!is_of_old_kind(owner, TRY(read_value_inode(disk, attribute)))) {
        owner.allocated_bytes
            -= std::min<u64>(owner.allocated_bytes, charged_bytes(disk, attribute));
    }
    return {};
}

Result<void> drop_reference(Disk& disk, Inode& owner, Attribute const& attribute)
{
    TRY(leave_value(disk, owner, attribute));
    auto inode = TRY(read_value_inode(disk, attribute));
    auto const references
        = is_of_old_kind(owner, inode) ? u64 { 1 } : TRY(references_of(disk, inode));
    if (references == 0)
        return disk.corrupt("inode ", inode.number, ": a value that is used and counts no users");
    if (references > 1)
        return write_with_references(disk, inode, references - 1);
    return free_value(disk, inode, owner.changed.seconds * ns_per_second);
}

} // namespace gemel::ext4
