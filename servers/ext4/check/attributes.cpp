// Extended attributes: behind the inode's fields, and in a block that files may share (ext4
// documentation, "Extended Attributes").
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4::check {

namespace {

constexpr u32 magic = 0xEA02'0000;
constexpr usize block_head_bytes = 32;
constexpr usize entry_head_bytes = 16;
constexpr u32 reference_count_max = 1024;

// What the entry's own hash should be: over its name, then its value in words of four bytes.
u32 entry_hash(Bytes name, Bytes value)
{
    u32 hash = 0;
    for (auto const each : name)
        hash = hash << 5 ^ hash >> 27 ^ each;
    for (usize offset = 0; offset < value.size(); offset += 4) {
        std::array<u8, 4> word {};
        auto const part = value.subspan(offset, std::min<usize>(4, value.size() - offset));
        std::copy(part.begin(), part.end(), word.begin());
        hash = hash << 16 ^ hash >> 16 ^ load32(word, 0);
    }
    return hash;
}

// One list of entries; values lie at offsets from the start of `values`. Empty when it is sound.
std::string_view fault_in(VolumeCheck const& check, Bytes entries, Bytes values)
{
    usize offset = 0;
    while (offset + 4 <= entries.size() && load32(entries, offset) != 0) {
        auto const rest = entries.subspan(offset);
        if (rest.size() < entry_head_bytes + load8(rest, 0))
            return "run past their end";
        auto const name = rest.subspan(entry_head_bytes, load8(rest, 0));
        auto const place = load16(rest, 2);
        auto const in_inode = load32(rest, 4);
        auto const size = load32(rest, 8);
        auto const hash = load32(rest, 12);
        if (in_inode != 0) {
            if (!check.super.has(Incompatible::ea_inode) || !check.super.holds_inode(in_inode))
                return "name an inode for a value that cannot be";
        } else if (place > values.size() || size > values.size() - place) {
            return "have a value outside";
        } else if (hash != 0 && hash != entry_hash(name, values.subspan(place, size))) {
            return "have a wrong hash";
        }
        offset += align_up<usize>(entry_head_bytes + name.size(), 4);
    }
    return {};
}

void check_inline(VolumeCheck& check, RawInode const& inode)
{
    if (inode.bytes.size() <= 128)
        return;
    auto const start = 128u + load16(inode.bytes, 128);
    if (start + 8 > inode.bytes.size() || load32(inode.bytes, start) != magic)
        return;
    auto const values = inode.bytes.subspan(start + 4);
    auto const fault = fault_in(check, values, values);
    if (!fault.empty())
        check.problem("inode ", inode.number, ": its extended attributes ", fault);
}

u32 block_checksum(VolumeCheck const& check, u64 block, Bytes bytes)
{
    std::array<u8, 8> place {};
    store32(place, 0, static_cast<u32>(block));
    store32(std::span(place).subspan(4), 0, static_cast<u32>(block >> 32));
    std::array<u8, 4> const gap {};
    auto const sum = crc32c(crc32c(check.super.checksum_seed, place), bytes.first(0x10));
    return crc32c(crc32c(sum, gap), bytes.subspan(0x14));
}

Result<void> check_block(VolumeCheck& check, RawInode const& inode, u64 block)
{
    check.claim(block, inode.number);
    std::vector<u8> bytes(check.super.block_bytes);
    TRY(check.read(block, bytes));
    auto const problem = [&](std::string_view what) {
        check.problem("inode ", inode.number, ": its attribute block ", block, " ", what);
    };
    auto const users = load32(bytes, 4);
    check.attribute_blocks.emplace(block, AttributeBlock { users, 1 });
    if (load32(bytes, 0) != magic || load32(bytes, 8) != 1) {
        problem("is not one");
        return {};
    }
    if (users == 0 || users > reference_count_max)
        problem("has an impossible number of users");
    auto const sum = check.sums() ? block_checksum(check, block, bytes) : load32(bytes, 0x10);
    if (load32(bytes, 0x10) != sum) {
        check.repairable(Remedy::checksum, { patch32(check.place_of_block(block) + 0x10, sum) },
            "inode ", inode.number, ": its attribute block ", block, " has a wrong checksum");
    }
    auto const fault = fault_in(check, Bytes(bytes).subspan(block_head_bytes), bytes);
    if (!fault.empty())
        check.problem("inode ", inode.number, ": the attributes in block ", block, " ", fault);
    return {};
}

} // namespace

Result<u64> check_attributes(VolumeCheck& check, RawInode const& inode)
{
    check_inline(check, inode);
    bool const wide = check.super.has(Incompatible::wide);
    auto const block = join(load32(inode.bytes, 0x68), wide ? load16(inode.bytes, 0x76) : 0);
    if (block == 0)
        return u64 { 0 };
    auto const known = check.attribute_blocks.find(block);
    if (known != check.attribute_blocks.end())
        ++known->second.users;
    else if (check.super.holds_block(block))
        TRY(check_block(check, inode, block));
    else
        check.problem(
            "inode ", inode.number, ": its attribute block ", block, " lies outside the volume");
    return u64 { 1 };
}

} // namespace gemel::ext4::check
