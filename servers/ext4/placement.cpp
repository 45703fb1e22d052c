// The limits are the kernel's, fs/ext4/ialloc.c (find_group_orlov), and ext3's for debts.
#include "servers/ext4/placement.hpp"

#include "servers/ext4/group_table.hpp"
#include "servers/ext4/inode.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u64 inodes_of_a_directory = 64; // that are expected to follow it
constexpr u64 blocks_of_a_directory_min = 256;
constexpr u32 debt_limit = 255;

u32 units(Superblock const& super)
{
    return (super.groups + super.groups_per_flex - 1) / super.groups_per_flex;
}

u64 less(u64 from, u64 much)
{
    return from - std::min(from, much);
}

} // namespace

Result<Placement::Unit> Placement::look_at(Disk& disk, u32 unit)
{
    auto const& super = disk.super();
    auto const first = unit * super.groups_per_flex;
    Unit found;
    for (auto group = first; group < std::min(first + super.groups_per_flex, super.groups);
         ++group) {
        auto const descriptor = TRY(load_group(disk, group));
        found.free_blocks += load_field(descriptor, group_field::free_blocks);
        found.free_inodes += load_field(descriptor, group_field::free_inodes);
        found.directories += load_field(descriptor, group_field::directories);
    }
    return found;
}

Result<std::optional<u32>> Placement::group_in(Disk& disk, u32 unit)
{
    auto const& super = disk.super();
    auto const first = unit * super.groups_per_flex;
    for (auto group = first; group < std::min(first + super.groups_per_flex, super.groups);
         ++group) {
        if (load_field(TRY(load_group(disk, group)), group_field::free_inodes) > 0)
            return std::optional(group);
    }
    return std::optional<u32> {};
}

Result<u64> Placement::directories(Disk& disk)
{
    if (!directories_) {
        u64 sum = 0;
        for (u32 unit = 0; unit < units(disk.super()); ++unit)
            sum += TRY(look_at(disk, unit)).directories;
        directories_ = sum;
    }
    return *directories_;
}

void Placement::note_removed_directory()
{
    if (directories_)
        *directories_ = less(*directories_, 1);
}

// The one with the fewest directories of those that are not much fuller than others: copies of the
// superblock and the volume's own inodes make some a little fuller.
Result<std::optional<u32>> Placement::spread(Disk& disk, u32 first, Limits const& average)
{
    std::optional<u32> best;
    u64 fewest = ~u64 { 0 };
    for (u32 step = 0; step < units(disk.super()); ++step) {
        auto const unit = (first + step) % units(disk.super());
        auto const found = TRY(look_at(disk, unit));
        if (found.free_inodes == 0 || found.free_inodes < average.free_inodes / 4 * 3
            || found.free_blocks < average.free_blocks / 4 * 3 || found.directories >= fewest)
            continue;
        best = unit;
        fewest = found.directories;
    }
    return best;
}

Result<std::optional<u32>> Placement::nearest(Disk& disk, u32 first, Limits const& limits)
{
    for (u32 step = 0; step < units(disk.super()); ++step) {
        auto const unit = (first + step) % units(disk.super());
        auto const found = TRY(look_at(disk, unit));
        if (found.free_inodes > 0 && found.free_inodes >= limits.free_inodes
            && found.free_blocks >= limits.free_blocks && found.directories < limits.directories_max
            && debts_[unit] < limits.debt_max)
            return std::optional(unit);
    }
    return std::optional<u32> {};
}

Result<Placement::Limits> Placement::limits_near(Disk& disk, Limits const& average)
{
    auto const& super = disk.super();
    u64 const inodes = u64 { super.inodes_per_group } * super.groups_per_flex;
    u64 const blocks = u64 { super.blocks_per_group } * super.groups_per_flex;
    auto const made = std::max<u64>(1, TRY(directories(disk)));
    auto const used = less(super.blocks, TRY(free_counts(disk)).blocks);
    auto const debt = std::min(
        blocks / std::max(used / made, blocks_of_a_directory_min), inodes / inodes_of_a_directory);
    return Limits { .free_blocks = less(average.free_blocks, blocks / 4),
        .free_inodes = less(average.free_inodes, inodes / 4),
        .directories_max = made / units(super) + std::max<u64>(1, inodes / 16),
        .debt_max = static_cast<u32>(std::clamp<u64>(debt, 1, debt_limit)) };
}

Result<u32> Placement::group_for_directory(Disk& disk, Inode const& parent)
{
    auto const& super = disk.super();
    debts_.resize(units(super));
    auto const first = (parent.number - 1) / super.inodes_per_group / super.groups_per_flex;
    auto const counts = TRY(free_counts(disk));
    Limits const average { .free_blocks = counts.blocks / units(super),
        .free_inodes = counts.inodes / units(super),
        .directories_max = ~u64 { 0 },
        .debt_max = debt_limit + 1 };
    bool const top = parent.number == root_inode || parent.has(InodeFlag::top_directory);
    auto unit = top ? TRY(spread(disk, first, average)) : std::nullopt;
    if (!unit)
        unit = TRY(nearest(disk, first, TRY(limits_near(disk, average))));
    // Where all have their share, any that has not fewer inodes than others, then any at all.
    auto anywhere = average;
    anywhere.free_blocks = 0;
    if (!unit)
        unit = TRY(nearest(disk, first, anywhere));
    anywhere.free_inodes = 1;
    if (!unit)
        unit = TRY(nearest(disk, first, anywhere));
    auto const group = unit ? TRY(group_in(disk, *unit)) : std::nullopt;
    if (!group)
        return Error::no_space;
    debts_[*unit] = static_cast<u8>(std::min<u32>(debts_[*unit] + 1u, debt_limit));
    if (directories_)
        ++*directories_;
    return *group;
}

// The nearest group with room for its contents, too, else the nearest with an inode.
Result<u32> Placement::group_for_file(Disk& disk, Inode const& parent)
{
    auto const& super = disk.super();
    debts_.resize(units(super));
    auto const near = (parent.number - 1) / super.inodes_per_group;
    std::optional<u32> full;
    for (u32 step = 0; step < super.groups; ++step) {
        auto const group = (near + step) % super.groups;
        auto const descriptor = TRY(load_group(disk, group));
        if (load_field(descriptor, group_field::free_inodes) == 0)
            continue;
        if (load_field(descriptor, group_field::free_blocks) > 0) {
            auto& debt = debts_[group / super.groups_per_flex];
            debt -= debt > 0;
            return group;
        }
        if (!full)
            full = group;
    }
    return full ? Result<u32>(*full) : Error::no_space;
}

} // namespace gemel::ext4
