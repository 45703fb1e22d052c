// The bitmaps and all counts of free things, against what the passes before have seen in use (ext4
// documentation, "Block and Inode Bitmaps").
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"

#include <algorithm>
#include <bit>

namespace gemel::ext4::check {

namespace {

constexpr usize descriptor_bytes_wide = 64;
constexpr u16 state_clean = 0x1;

struct Expected {
    u64 first; // bit in `used`
    u32 bits; // that mean something
    Bitset const& used;
    u16 fresh_flag; // of a group whose bitmap was never written
};

// The halves of a number in a descriptor.
struct Halves {
    usize low;
    usize high;
};

class BitmapCheck {
public:
    explicit BitmapCheck(VolumeCheck& check)
        : check_(check)
        , bytes_(check.super.block_bytes)
    {
    }

    Result<void> run()
    {
        auto const& super = check_.super;
        u64 free_blocks = 0;
        u64 free_inodes = 0;
        for (u32 number = 0; number < super.groups; ++number) {
            auto const& group = check_.groups[number];
            if (!group.usable)
                continue;
            free_blocks += TRY(check_blocks(number, group));
            free_inodes += TRY(check_inode_bits(number, group));
            check_directories_in(number, group);
        }
        check_totals(free_blocks, free_inodes);
        return {};
    }

private:
    // Compares a bitmap with what is in use; returns how many are free.
    u32 compare(std::string_view what, u64 block, Group const& group, Expected expected)
    {
        u32 used = 0;
        u32 wrong = 0;
        u64 first_wrong = 0;
        for (u32 bit = 0; bit < expected.bits; bit += 8) {
            auto const count = std::min<u32>(8, expected.bits - bit);
            auto const mask = static_cast<u8>((1u << count) - 1);
            auto const wanted = static_cast<u8>(expected.used.byte(expected.first + bit) & mask);
            auto const found = static_cast<u8>(bytes_[bit / 8] & mask);
            used += static_cast<u32>(std::popcount(wanted));
            if (wanted == found)
                continue;
            auto const difference = static_cast<u8>(wanted ^ found);
            if (wrong == 0)
                first_wrong = expected.first + bit + static_cast<u32>(std::countr_zero(difference));
            wrong += static_cast<u32>(std::popcount(difference));
        }
        if (wrong != 0) {
            check_.repairable(Remedy::bitmap, rewritten(block, group, expected), "block ", block,
                ": the bitmap is wrong about ", wrong, " ", what, "s; the first is ", what, " ",
                first_wrong,
                expected.used.test(first_wrong) ? ", which is in use" : ", which is free");
        }
        return expected.bits - used;
    }

    // The bitmap as it should be, and a descriptor that says it is written.
    std::vector<Patch> rewritten(u64 block, Group const& group, Expected const& expected) const
    {
        std::vector<u8> bytes(check_.super.block_bytes, 0xFF);
        for (u32 bit = 0; bit < expected.bits; bit += 8) {
            auto const count = std::min<u32>(8, expected.bits - bit);
            auto const padding = static_cast<u8>(0xFFu << count);
            auto const used = expected.used.byte(expected.first + bit);
            bytes[bit / 8] = static_cast<u8>((used & ~padding) | padding);
        }
        std::vector<Patch> patches { { check_.place_of_block(block), std::move(bytes) } };
        if ((group.flags & expected.fresh_flag) != 0) {
            patches.push_back(
                patch16(group.place + 0x12, group.flags & ~u32 { expected.fresh_flag }));
        }
        return patches;
    }

    // Both halves of a number in the group's descriptor.
    std::vector<Patch> stated(Group const& group, Halves halves, u32 value) const
    {
        std::vector<Patch> patches { patch16(group.place + halves.low, value & 0xFFFF) };
        if (check_.super.descriptor_bytes >= descriptor_bytes_wide)
            patches.push_back(patch16(group.place + halves.high, value >> 16));
        return patches;
    }

    // Bits for what the group does not have must be set.
    void check_padding(
        std::string_view what, u64 block, Group const& group, Expected const& expected, u32 end)
    {
        for (u32 bit = expected.bits; bit < end;) {
            auto const byte = bytes_[bit / 8];
            if (bit % 8 == 0 && byte == 0xFF && end - bit >= 8) {
                bit += 8;
                continue;
            }
            if ((byte >> bit++ % 8 & 1) == 0) {
                check_.repairable(Remedy::bitmap, rewritten(block, group, expected), "block ",
                    block, ": the bitmap calls ", what, "s free that the group does not have");
                return;
            }
        }
    }

    void check_sum(u64 block, u32 stored, usize bytes, Group const& group, Halves halves)
    {
        if (!check_.sums())
            return;
        auto computed = crc32c(check_.super.checksum_seed, Bytes(bytes_).first(bytes));
        if (check_.super.descriptor_bytes < descriptor_bytes_wide)
            computed &= 0xFFFF;
        if (stored != computed) {
            check_.repairable(Remedy::checksum, stated(group, halves, computed), "block ", block,
                ": the bitmap's checksum is ", Hex { stored }, " and should be ", Hex { computed });
        }
    }

    Result<u32> check_blocks(u32 number, Group const& group)
    {
        auto const& super = check_.super;
        auto const first = super.first_block_of_group(number);
        auto const bits
            = static_cast<u32>(std::min<u64>(super.blocks_per_group, super.blocks - first));
        bool const unwritten = (group.flags & group_blocks_uninitialised) != 0;
        Expected const expected { first, bits, check_.claimed, group_blocks_uninitialised };
        if (unwritten) {
            expect_as_fresh(first, bits);
        } else {
            TRY(check_.read(group.block_bitmap, bytes_));
            check_sum(group.block_bitmap, group.block_bitmap_checksum, super.blocks_per_group / 8,
                group, { 0x18, 0x38 });
            check_padding("block", group.block_bitmap, group, expected,
                std::min(super.blocks_per_group, super.block_bytes * 8));
        }
        auto const free = compare("block", group.block_bitmap, group, expected);
        if (free != group.free_blocks) {
            check_.repairable(Remedy::count, stated(group, { 0xC, 0x2C }, free), "group ", number,
                ": it counts ", group.free_blocks, " free blocks and has ", free);
        }
        return free;
    }

    // A bitmap that was never written stands for a group that holds nothing but metadata.
    void expect_as_fresh(u64 first, u32 bits)
    {
        std::fill(bytes_.begin(), bytes_.end(), u8 { 0 });
        auto const mark = [&](u64 block) {
            if (block - first < bits)
                bytes_[(block - first) / 8] |= static_cast<u8>(1u << (block - first) % 8);
        };
        for (u32 bit = 0; bit < bits; ++bit) {
            if (metadata_.test(first + bit))
                mark(first + bit);
        }
    }

    Result<u32> check_inode_bits(u32 number, Group const& group)
    {
        auto const& super = check_.super;
        auto const first = static_cast<u64>(number) * super.inodes_per_group + 1;
        Expected const expected { first, super.inodes_per_group, check_.inodes_used,
            group_inodes_uninitialised };
        if ((group.flags & group_inodes_uninitialised) != 0) {
            std::fill(bytes_.begin(), bytes_.end(), u8 { 0 });
        } else {
            TRY(check_.read(group.inode_bitmap, bytes_));
            check_sum(group.inode_bitmap, group.inode_bitmap_checksum, super.inodes_per_group / 8,
                group, { 0x1A, 0x3A });
            check_padding("inode", group.inode_bitmap, group, expected, super.block_bytes * 8);
        }
        auto const free = compare("inode", group.inode_bitmap, group, expected);
        if (free != group.free_inodes) {
            check_.repairable(Remedy::count, stated(group, { 0xE, 0x2E }, free), "group ", number,
                ": it counts ", group.free_inodes, " free inodes and has ", free);
        }
        return free;
    }

    void check_directories_in(u32 number, Group const& group)
    {
        auto const per_group = check_.super.inodes_per_group;
        auto const before = [](Directory const& each, u64 first) { return each.number < first; };
        auto const first = static_cast<u64>(number) * per_group + 1;
        auto const begin
            = std::lower_bound(check_.directories.begin(), check_.directories.end(), first, before);
        auto const end
            = std::lower_bound(begin, check_.directories.end(), first + per_group, before);
        auto const count = static_cast<u32>(end - begin);
        if (count != group.directories) {
            check_.repairable(Remedy::count, stated(group, { 0x10, 0x30 }, count), "group ", number,
                ": it counts ", group.directories, " directories and has ", count);
        }
    }

    // While a volume is in use nobody keeps its totals: they count only once it was unmounted.
    void check_totals(u64 free_blocks, u64 free_inodes)
    {
        auto const& super = check_.super;
        bool const clean = (load16(check_.super_bytes, 0x3A) & state_clean) != 0;
        if (!clean && check_.totals == Totals::when_clean)
            return;
        if (super.free_blocks != free_blocks) {
            std::vector<Patch> patches { patch32(
                superblock_offset + 0xC, static_cast<u32>(free_blocks)) };
            if (super.has(Incompatible::wide)) {
                patches.push_back(
                    patch32(superblock_offset + 0x158, static_cast<u32>(free_blocks >> 32)));
            }
            check_.repairable(Remedy::count, std::move(patches), "superblock: it counts ",
                super.free_blocks, " free blocks of ", free_blocks);
        }
        if (super.free_inodes != free_inodes) {
            check_.repairable(Remedy::count,
                { patch32(superblock_offset + 0x10, static_cast<u32>(free_inodes)) },
                "superblock: it counts ", super.free_inodes, " free inodes of ", free_inodes);
        }
    }

    VolumeCheck& check_;
    Bitset const& metadata_ = check_.metadata;
    std::vector<u8> bytes_;
};

} // namespace

Result<void> check_bitmaps(VolumeCheck& check)
{
    return BitmapCheck(check).run();
}

} // namespace gemel::ext4::check
