// Extended attributes: behind the inode's fields, and in a block that files may share (ext4
// documentation, "Extended Attributes").
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/value_inode.hpp"

#include <array>

namespace gemel::ext4::check {

namespace {

constexpr u32 magic = 0xEA02'0000;
constexpr usize block_head_bytes = 32;
constexpr usize entry_head_bytes = 16;
constexpr u32 reference_count_max = 1024;

// One list of entries; values lie at offsets from the start of `values`. Empty when it is sound.
std::string_view fault_in(VolumeCheck& check, RawInode const& inode, Bytes entries, Bytes values)
{
    usize offset = 0;
    while (offset + 4 <= entries.size() && load32(entries, offset) != 0) {
        auto const rest = entries.subspan(offset);
        if (rest.size() < entry_head_bytes + load8(rest, 0))
            return "run past their end";
        auto const bytes = rest.subspan(entry_head_bytes, load8(rest, 0));
        std::string const name(bytes.begin(), bytes.end());
        auto const place = load16(rest, 2);
        auto const in_inode = load32(rest, 4);
        auto const size = load32(rest, 8);
        auto const hash = load32(rest, 12);
        if (in_inode != 0) {
            if (!check.super.has(Incompatible::ea_inode) || !check.super.holds_inode(in_inode))
                return "name an inode for a value that cannot be";
            check.value_uses.push_back(
                { in_inode, size, hash, name, inode.number, load32(inode.bytes, 0x64) });
        } else if (place > values.size() || size > values.size() - place) {
            return "have a value outside";
        } else if (hash != 0 && hash != hash_of_entry(name, values.subspan(place, size))) {
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
    auto const fault = fault_in(check, inode, values, values);
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
    auto& shared = check.attribute_blocks.emplace(block, AttributeBlock { users, 1 }).first->second;
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
    auto const first_use = check.value_uses.size();
    auto const fault = fault_in(check, inode, Bytes(bytes).subspan(block_head_bytes), bytes);
    if (!fault.empty())
        check.problem("inode ", inode.number, ": the attributes in block ", block, " ", fault);
    shared.value_blocks = TRY(value_blocks_since(check, first_use));
    return {};
}

} // namespace

Result<u64> check_attributes(VolumeCheck& check, RawInode const& inode)
{
    auto const first_use = check.value_uses.size();
    check_inline(check, inode);
    auto const counted = TRY(value_blocks_since(check, first_use));
    bool const wide = check.super.has(Incompatible::wide);
    auto const block = join(load32(inode.bytes, 0x68), wide ? load16(inode.bytes, 0x76) : 0);
    if (block == 0)
        return counted;
    auto const known = check.attribute_blocks.find(block);
    if (known != check.attribute_blocks.end()) {
        ++known->second.users;
    } else if (check.super.holds_block(block)) {
        TRY(check_block(check, inode, block));
    } else {
        check.problem(
            "inode ", inode.number, ": its attribute block ", block, " lies outside the volume");
        return counted + 1;
    }
    return counted + 1 + check.attribute_blocks.at(block).value_blocks;
}

} // namespace gemel::ext4::check
