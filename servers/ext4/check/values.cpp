// Values of extended attributes that are inodes of their own (ext4 documentation, "Extended
// Attributes"): each is what the entries that name it say, and counts them.
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/value_inode.hpp"

#include <algorithm>

namespace gemel::ext4::check {

namespace {

constexpr usize modified_offset = 0x10;
constexpr usize generation_offset = 0x64;
constexpr usize references_low = 0x24;
constexpr usize references_high = 0xC; // the time of change

// Before there were counts such an inode named its owner instead.
bool is_of_old_kind(ValueUse const& use, u32 modified, u32 generation)
{
    return modified == use.owner && generation == use.owner_generation;
}

std::string_view fault_of(ValueUse const& use, ValueInode const& value)
{
    if (value.bytes != use.bytes)
        return "has another size than the entry that names it says";
    if (is_of_old_kind(use, value.modified, value.generation))
        return {};
    if (value.hash != value.hash_stated)
        return "does not fit its hash";
    std::array<u8, 4> word {};
    store32(word, 0, value.hash_stated);
    return use.hash == hash_of_entry(use.name, word) ? std::string_view()
                                                     : "does not fit the hash of its entry";
}

} // namespace

Result<void> note_value(VolumeCheck& check, RawInode const& inode, std::vector<Piece> const& pieces)
{
    auto const block_bytes = check.super.block_bytes;
    if (inode.kind() != kind_regular || inode.size > value_bytes_max) {
        check.problem("inode ", inode.number, ": it cannot be the value of an attribute");
        return {};
    }
    std::vector<u8> contents(align_up<u64>(inode.size, block_bytes));
    for (auto const& piece : pieces) {
        for (u64 each = 0; piece.written && each < piece.blocks; ++each) {
            auto const offset = (piece.first + each) * block_bytes;
            if (offset < contents.size() && check.super.holds_block(piece.disk_block + each))
                TRY(check.read(
                    piece.disk_block + each, std::span(contents).subspan(offset, block_bytes)));
        }
    }
    check.value_inodes[inode.number] = {
        .bytes = inode.size,
        .references_stated
        = join(load32(inode.bytes, references_low), load32(inode.bytes, references_high)),
        .hash_stated = load32(inode.bytes, 0x8),
        .hash = crc32c(check.super.checksum_seed, Bytes(contents).first(inode.size)),
        .modified = load32(inode.bytes, modified_offset),
        .generation = load32(inode.bytes, generation_offset),
    };
    return {};
}

Result<u64> value_blocks_since(VolumeCheck& check, usize first_use)
{
    auto const block_bytes = check.super.block_bytes;
    u64 blocks = 0;
    for (auto index = first_use; index < check.value_uses.size(); ++index) {
        auto const& use = check.value_uses[index];
        auto const bytes = TRY(read_inode_bytes(check, use.inode));
        if (!bytes.empty()
            && !is_of_old_kind(
                use, load32(bytes, modified_offset), load32(bytes, generation_offset)))
            blocks += align_up<u64>(use.bytes, block_bytes) / block_bytes;
    }
    return blocks;
}

void check_values(VolumeCheck& check)
{
    for (auto const& use : check.value_uses) {
        auto const found = check.value_inodes.find(use.inode);
        if (found == check.value_inodes.end()) {
            check.problem("inode ", use.owner, ": inode ", use.inode,
                ", which should hold the value of an attribute, does not");
            continue;
        }
        auto& value = found->second;
        ++value.references;
        value.old_kind = is_of_old_kind(use, value.modified, value.generation);
        if (auto const fault = fault_of(use, value); !fault.empty())
            check.problem("inode ", use.inode, ": the value of an attribute of inode ", use.owner,
                " ", fault);
    }
    for (auto const& [number, value] : check.value_inodes) {
        if (value.references == 0) {
            check.problem("inode ", number, ": the value of an attribute that no inode has");
        } else if (value.references != value.references_stated && !value.old_kind) {
            auto const place = check.place_of_inode(number);
            check.repairable(Remedy::count,
                { patch32(place + references_low, static_cast<u32>(value.references)),
                    patch32(place + references_high, static_cast<u32>(value.references >> 32)) },
                "inode ", number, ": a value that counts ", value.references_stated,
                " uses and has ", value.references);
        }
    }
}

} // namespace gemel::ext4::check
