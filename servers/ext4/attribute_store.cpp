#include "servers/ext4/attribute_store.hpp"

#include "servers/ext4/block_allocator.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/value_inode.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4 {

namespace {

constexpr u32 attributes_magic = 0xEA02'0000;
constexpr usize count_offset = 0x4; // of the inodes that share the block
constexpr usize blocks_offset = 0x8;
constexpr usize hash_offset = 0xC;
constexpr usize checksum_offset = 0x10;
constexpr usize block_head_bytes = 32;
constexpr usize inode_head_bytes = 4;
constexpr usize entry_head_bytes = 16;
constexpr usize value_alignment = 4;
constexpr usize end_bytes = 4; // zeros behind the last entry
constexpr usize inode_bytes_old = 128;

u32 block_checksum(Superblock const& super, u64 block, Bytes bytes)
{
    std::array<u8, 4> const gap {};
    auto const seed = crc32c(
        crc32c(super.checksum_seed, static_cast<u32>(block)), static_cast<u32>(block >> 32));
    auto const sum = crc32c(crc32c(seed, bytes.first(checksum_offset)), gap);
    return crc32c(sum, bytes.subspan(checksum_offset + gap.size()));
}

void seal_block(Superblock const& super, u64 block, std::span<u8> bytes)
{
    if (super.has(ReadOnlyCompatible::metadata_csum))
        store32(bytes, checksum_offset, block_checksum(super, block, bytes));
}

Result<void> check_block(Disk& disk, Inode const& inode, Bytes bytes)
{
    auto const block = inode.attribute_block;
    if (load32(bytes, 0) != attributes_magic || load32(bytes, count_offset) == 0) {
        return disk.corrupt(
            "inode ", inode.number, ": block ", block, " holds no extended attributes");
    }
    if (!disk.super().has(ReadOnlyCompatible::metadata_csum))
        return {};
    auto const stored = load32(bytes, checksum_offset);
    auto const computed = block_checksum(disk.super(), block, bytes);
    if (stored == computed)
        return {};
    return disk.corrupt("inode ", inode.number, ": attribute block ", block, " has checksum ",
        Hex { stored }, " and should have ", Hex { computed });
}

Purpose const attributes_purpose { Purpose::Kind::attributes };

usize entry_bytes(Attribute const& attribute)
{
    return align_up<usize>(entry_head_bytes + attribute.name.rest.size(), 4);
}

usize room_for(std::vector<Attribute> const& attributes)
{
    usize bytes = end_bytes;
    for (auto const& each : attributes)
        bytes += entry_bytes(each) + align_up<usize>(each.value.size(), 4);
    return bytes;
}

// `values` is what the entries' offsets count from.
Result<std::vector<Attribute>> parse(Disk& disk, Inode const& inode, Bytes entries, Bytes values)
{
    std::vector<Attribute> found;
    auto const bad = [&](std::string_view what) {
        return disk.corrupt("inode ", inode.number, ": its extended attributes ", what);
    };
    while (entries.size() >= end_bytes && load32(entries, 0) != 0) {
        auto const name_bytes = load8(entries, 0);
        if (entries.size() < align_up<usize>(entry_head_bytes + name_bytes, 4))
            return bad("run past their end");
        auto const name = entries.subspan(entry_head_bytes, name_bytes);
        Attribute each {
            { static_cast<NameSpace>(load8(entries, 1)), { name.begin(), name.end() } }, {}
        };
        auto const place = load16(entries, 2);
        auto const size = load32(entries, 8);
        each.value_inode = load32(entries, 4);
        each.hash = load32(entries, 12);
        if (each.value_inode != 0) {
            each.value_bytes = size;
        } else if (place > values.size() || size > values.size() - place) {
            return bad("have a value outside their place");
        } else {
            auto const value = values.subspan(place, size);
            each.value.assign(value.begin(), value.end());
        }
        entries = entries.subspan(entry_bytes(each));
        found.push_back(std::move(each));
    }
    return found;
}

// Where in the inode its attributes begin; its end when it has no place for them.
usize start_in_inode(Bytes inode)
{
    if (inode.size() <= inode_bytes_old)
        return inode.size();
    usize const extra = load16(inode, inode_bytes_old);
    auto const start = inode_bytes_old + extra;
    bool const usable = extra != 0 && start + inode_head_bytes + end_bytes <= inode.size();
    return usable ? start : inode.size();
}

enum class Hashed : u8 { no, yes };

// Entries from the start of `place`, values from its end; `base` is what offsets count from.
void lay_out(
    std::span<u8> place, usize base, std::vector<Attribute> const& attributes, Hashed hashed)
{
    std::fill(place.begin(), place.end(), u8 { 0 });
    usize at = 0;
    usize end = place.size();
    for (auto const& each : attributes) {
        auto const entry = place.subspan(at, entry_bytes(each));
        store8(entry, 0, static_cast<u8>(each.name.rest.size()));
        store8(entry, 1, static_cast<u8>(each.name.space));
        store32(entry, 8, static_cast<u32>(each.value.size()));
        if (each.value_inode != 0) {
            store32(entry, 4, each.value_inode);
            store32(entry, 8, each.value_bytes);
            store32(entry, 12, each.hash);
        } else if (hashed == Hashed::yes) {
            store32(entry, 12, hash_of_entry(each.name.rest, each.value));
        }
        if (!each.value.empty()) {
            end -= align_up<usize>(each.value.size(), 4);
            store16(entry, 2, static_cast<u16>(base + end));
            std::copy(each.value.begin(), each.value.end(),
                place.begin() + static_cast<std::ptrdiff_t>(end));
        }
        std::copy(each.name.rest.begin(), each.name.rest.end(),
            entry.begin() + static_cast<std::ptrdiff_t>(entry_head_bytes));
        at += entry.size();
    }
}

// By what two equal blocks are known; 0: not to be shared.
u32 block_hash(Bytes entries, usize count)
{
    u32 hash = 0;
    for (; count > 0; --count) {
        auto const each = load32(entries, 12);
        if (each == 0)
            return 0;
        hash = hash << 16 ^ hash >> 16 ^ each;
        entries = entries.subspan(align_up<usize>(entry_head_bytes + load8(entries, 0), 4));
    }
    return hash;
}

bool comes_before(Attribute const& left, Attribute const& right)
{
    auto const& a = left.name;
    auto const& b = right.name;
    if (a.space != b.space)
        return a.space < b.space;
    if (a.rest.size() != b.rest.size())
        return a.rest.size() < b.rest.size();
    return a.rest < b.rest;
}

auto find_in(std::vector<Attribute>& attributes, AttributeName const& name)
{
    return std::find_if(attributes.begin(), attributes.end(),
        [&](Attribute const& each) { return each.name == name; });
}

} // namespace

Result<AttributeStore> AttributeStore::load(Disk& disk, Inode const& inode)
{
    auto const place = TRY(place_of_inode(disk, inode.number));
    auto const held = TRY(disk.metadata(
        place.block, { Purpose::Kind::inode_table }, [](Bytes) { return Result<void> {}; }));
    auto const bytes = Bytes(*held).subspan(place.offset, disk.super().inode_bytes);
    auto const start = start_in_inode(bytes);
    bool const has_room = start < bytes.size();
    AttributeStore store(disk, has_room ? bytes.size() - start - inode_head_bytes : 0);
    if (has_room && load32(bytes, start) == attributes_magic) {
        auto const values = bytes.subspan(start + inode_head_bytes);
        store.in_inode_ = TRY(parse(disk, inode, values, values));
        if (room_for(store.in_inode_) > store.inode_room_)
            return disk.corrupt("inode ", inode.number, ": its attributes overlap each other");
    }
    if (inode.attribute_block == 0)
        return store;
    auto const block = TRY(disk.metadata(inode.attribute_block, attributes_purpose,
        [&](Bytes read) { return check_block(disk, inode, read); }));
    store.in_block_
        = TRY(parse(disk, inode, Bytes(*block).subspan(block_head_bytes), Bytes(*block)));
    if (room_for(store.in_block_) > block->size() - block_head_bytes)
        return disk.corrupt("inode ", inode.number, ": attributes in its block overlap each other");
    return store;
}

Attribute const* AttributeStore::find(AttributeName const& name) const
{
    for (auto const* const each : { &in_inode_, &in_block_ }) {
        for (auto const& attribute : *each) {
            if (attribute.name == name)
                return &attribute;
        }
    }
    return nullptr;
}

bool AttributeStore::remove(AttributeName const& name)
{
    if (auto const found = find_in(in_inode_, name); found != in_inode_.end()) {
        if (found->value_inode != 0)
            left_by_inode_.push_back(std::move(*found));
        in_inode_.erase(found);
        inode_changed_ = true;
        return true;
    }
    if (auto const found = find_in(in_block_, name); found != in_block_.end()) {
        if (found->value_inode != 0)
            left_by_block_.push_back(std::move(*found));
        in_block_.erase(found);
        block_changed_ = true;
        return true;
    }
    return false;
}

AttributeName inline_rest_name()
{
    return { NameSpace::system, "data" };
}

std::optional<usize> AttributeStore::inline_room() const
{
    Attribute const empty { inline_rest_name(), {} };
    auto others = in_inode_;
    std::erase_if(others, [&](Attribute const& each) { return each.name == empty.name; });
    auto const used = room_for(others) + entry_bytes(empty);
    if (used > inode_room_)
        return std::nullopt;
    return (inode_room_ - used) / value_alignment * value_alignment;
}

void AttributeStore::set_inline_rest(Bytes value)
{
    remove(inline_rest_name());
    in_inode_.push_back({ inline_rest_name(), { value.begin(), value.end() } });
    ASSERT(room_for(in_inode_) <= inode_room_); // see inline_room
    inode_changed_ = true;
}

Result<void> AttributeStore::set(Attribute attribute)
{
    remove(attribute.name);
    in_inode_.push_back(attribute);
    if (inode_room_ > 0 && room_for(in_inode_) <= inode_room_) {
        inode_changed_ = true;
        return {};
    }
    in_inode_.pop_back();
    in_block_.insert(std::upper_bound(in_block_.begin(), in_block_.end(), attribute, comes_before),
        std::move(attribute));
    block_changed_ = true;
    auto const room = disk_->super().block_bytes - block_head_bytes;
    return room_for(in_block_) <= room ? Result<void> {} : Error::no_space;
}

Result<void> AttributeStore::save(Inode& inode)
{
    if (inode_changed_) {
        auto const bytes = TRY(change_inode_bytes(*disk_, inode.number));
        auto const start = start_in_inode(bytes);
        store32(bytes, start, in_inode_.empty() ? 0 : attributes_magic);
        lay_out(bytes.subspan(start + inode_head_bytes), 0, in_inode_, Hashed::no);
    }
    for (auto const& each : left_by_inode_)
        TRY(drop_reference(*disk_, inode, each));
    left_by_inode_.clear();
    if (block_changed_)
        TRY(save_block(inode));
    return {};
}

Result<Progress> AttributeStore::let_go_of_values(Inode& inode)
{
    constexpr usize values_in_a_step = 2;
    bool const shared = inode.attribute_block != 0 && TRY(is_shared(inode));
    for (auto const* const place : { &in_inode_, shared ? nullptr : &in_block_ }) {
        while (place && left_by_inode_.size() + left_by_block_.size() < values_in_a_step) {
            auto const found = std::find_if(place->begin(), place->end(),
                [](Attribute const& each) { return each.value_inode != 0; });
            if (found == place->end())
                break;
            remove(AttributeName(found->name));
        }
    }
    bool const all = left_by_inode_.size() + left_by_block_.size() < values_in_a_step;
    TRY(save(inode));
    return all ? Progress::done : Progress::more;
}

Result<bool> AttributeStore::is_shared(Inode const& inode)
{
    auto const bytes = TRY(disk_->metadata(inode.attribute_block, attributes_purpose,
        [&](Bytes read) { return check_block(*disk_, inode, read); }));
    return load32(*bytes, count_offset) > 1;
}

// The others keep the block, and its references; what is taken along has new ones.
Result<void> AttributeStore::leave_shared_block(Inode& inode)
{
    for (auto const& each : left_by_block_)
        TRY(leave_value(*disk_, inode, each));
    left_by_block_.clear();
    for (auto const& each : in_block_) {
        if (each.value_inode != 0 && !each.made)
            TRY(add_reference(*disk_, inode, each));
    }
    return release_attribute_block(*disk_, inode);
}

Result<void> AttributeStore::save_block(Inode& inode)
{
    auto const& super = disk_->super();
    if (inode.attribute_block != 0) {
        if (TRY(is_shared(inode)))
            TRY(leave_shared_block(inode));
        else if (in_block_.empty())
            TRY(release_attribute_block(*disk_, inode));
    }
    for (auto const& each : left_by_block_)
        TRY(drop_reference(*disk_, inode, each));
    left_by_block_.clear();
    auto const old_block = inode.attribute_block;
    if (in_block_.empty())
        return {};
    if (old_block == 0) {
        auto const goal = super.first_block_of_group((inode.number - 1) / super.inodes_per_group);
        inode.attribute_block = TRY(allocate_blocks(*disk_, goal, 1)).start;
        inode.allocated_bytes += super.block_bytes;
    }
    auto const block = inode.attribute_block;
    auto const bytes = old_block == 0
        ? disk_->create(block, attributes_purpose)
        : TRY(disk_->change(block, attributes_purpose, [](Bytes) { return Result<void> {}; }));
    std::fill(bytes.begin(), bytes.end(), u8 { 0 });
    store32(bytes, 0, attributes_magic);
    store32(bytes, count_offset, 1);
    store32(bytes, blocks_offset, 1);
    auto const entries = bytes.subspan(block_head_bytes);
    lay_out(entries, block_head_bytes, in_block_, Hashed::yes);
    store32(bytes, hash_offset, block_hash(entries, in_block_.size()));
    seal_block(super, block, bytes);
    return {};
}

Result<void> release_attribute_block(Disk& disk, Inode& inode)
{
    auto const block = inode.attribute_block;
    if (block == 0)
        return {};
    auto const bytes = TRY(disk.change(
        block, attributes_purpose, [&](Bytes held) { return check_block(disk, inode, held); }));
    inode.attribute_block = 0;
    inode.allocated_bytes -= std::min<u64>(inode.allocated_bytes, disk.super().block_bytes);
    auto const count = load32(bytes, count_offset);
    if (count == 1) {
        disk.forget(block);
        return free_blocks(disk, { block, 1 });
    }
    store32(bytes, count_offset, count - 1);
    seal_block(disk.super(), block, bytes);
    return {};
}

} // namespace gemel::ext4
