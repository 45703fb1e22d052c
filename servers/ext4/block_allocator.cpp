#include "servers/ext4/block_allocator.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u32 groups_searched_for_runs = 16;

bool is_used(Bytes bitmap, u64 bit)
{
    return (bitmap[bit / 8] >> bit % 8 & 1) != 0;
}

// What may be given out of one group: free now, and free as of the last commit.
struct FreeMap {
    BlockRef now;
    BlockRef committed;
    u32 blocks;

    bool is_free(u32 bit) const { return !is_used(*now, bit) && !is_used(*committed, bit); }
    // The first free block from `from` on; `blocks` when there is none.
    u32 find(u32 from) const
    {
        while (from < blocks) {
            if (from % 8 == 0 && ((*now)[from / 8] | (*committed)[from / 8]) == 0xFF)
                from += 8;
            else if (is_free(from))
                return from;
            else
                ++from;
        }
        return blocks;
    }
    u32 length(u32 from, u64 count_max) const
    {
        u32 count = 0;
        while (count < count_max && from + count < blocks && is_free(from + count))
            ++count;
        return count;
    }
};

struct Choice {
    u32 start = 0;
    u32 count = 0;
};

// The run at `from`, or the first one of `wanted` blocks, or the longest of what is there.
Choice choose(FreeMap const& map, u32 from, u64 wanted)
{
    Choice best;
    if (from < map.blocks && map.is_free(from))
        return { from, map.length(from, wanted) };
    for (u32 round = 0; round < 2; ++round) {
        auto at = map.find(round == 0 ? from : 0);
        auto const end = round == 0 ? map.blocks : std::min(from, map.blocks);
        while (at < end) {
            auto const count = map.length(at, wanted);
            if (count > best.count)
                best = { at, count };
            if (best.count == wanted)
                return best;
            at = map.find(at + count);
        }
    }
    return best;
}

Result<BlockRun> take(Disk& disk, u32 group, Choice choice)
{
    TRY(edit_bitmap(disk, group, BitmapKind::blocks,
        [&](std::span<u8> bitmap, std::span<u8> descriptor) -> Result<void> {
            for (auto bit = choice.start; bit < choice.start + choice.count; ++bit)
                bitmap[bit / 8] = static_cast<u8>(bitmap[bit / 8] | 1u << bit % 8);
            auto const free = load_field(descriptor, group_field::free_blocks);
            if (free < choice.count)
                return disk.corrupt("group ", group, ": its bitmap has more free blocks than ",
                    "its descriptor counts, ", free);
            store_field(descriptor, group_field::free_blocks, free - choice.count);
            return {};
        }));
    TRY(add_free_blocks(disk, -static_cast<i64>(choice.count)));
    return BlockRun { disk.super().first_block_of_group(group) + choice.start, choice.count };
}

} // namespace

Result<BlockRun> allocate_blocks(Disk& disk, u64 goal, u64 count_max)
{
    auto const& super = disk.super();
    auto const free = TRY(free_counts(disk)).blocks;
    if (free <= super.reserved_blocks)
        return Error::no_space;
    count_max = std::min(
        { count_max, free - super.reserved_blocks, static_cast<u64>(super.blocks_per_group) });
    if (!super.holds_block(goal))
        goal = super.first_data_block;
    auto const first_group
        = static_cast<u32>((goal - super.first_data_block) / super.blocks_per_group);
    // First a whole run nearby, then anything.
    for (u32 round = 0; round < 2; ++round) {
        auto const wanted = round == 0 ? count_max : 1;
        auto const groups
            = round == 0 ? std::min(groups_searched_for_runs, super.groups) : super.groups;
        for (u32 step = 0; step < groups; ++step) {
            auto const group = (first_group + step) % super.groups;
            auto const descriptor = TRY(load_group(disk, group));
            if (load_field(descriptor, group_field::free_blocks) < wanted)
                continue;
            FreeMap const map { TRY(load_bitmap(disk, group, BitmapKind::blocks)),
                TRY(load_committed_bitmap(disk, group, BitmapKind::blocks)),
                blocks_in_group(super, group) };
            auto const from
                = step == 0 ? static_cast<u32>(goal - super.first_block_of_group(group)) : 0;
            auto const choice = choose(map, from, count_max);
            bool const at_goal = step == 0 && choice.count > 0 && choice.start == from;
            if (choice.count >= wanted || at_goal)
                return take(disk, group, choice);
        }
    }
    return Error::no_space;
}

Result<void> each_free_run(
    Disk& disk, BlockRun range, u64 count_min, std::function<Result<void>(BlockRun)> const& visit)
{
    auto const& super = disk.super();
    auto const end = range.start + range.count;
    for (auto at = std::max<u64>(range.start, super.first_data_block); at < end;) {
        auto const group = static_cast<u32>((at - super.first_data_block) / super.blocks_per_group);
        auto const start = super.first_block_of_group(group);
        auto const bitmap = TRY(load_bitmap(disk, group, BitmapKind::blocks));
        FreeMap const map { bitmap, bitmap,
            static_cast<u32>(std::min<u64>(blocks_in_group(super, group), end - start)) };
        for (auto bit = map.find(static_cast<u32>(at - start)); bit < map.blocks;) {
            auto const count = map.length(bit, map.blocks);
            if (count >= count_min)
                TRY(visit({ start + bit, count }));
            bit = map.find(bit + count);
        }
        at = start + super.blocks_per_group;
    }
    return {};
}

Result<void> free_blocks(Disk& disk, BlockRun run)
{
    auto const& super = disk.super();
    if (!super.holds_block(run.start) || run.count > super.blocks - run.start) {
        return disk.corrupt(
            "blocks from ", run.start, " on, ", run.count, " of them, lie outside the volume");
    }
    disk.transaction().note_freed_blocks();
    while (run.count > 0) {
        auto const group
            = static_cast<u32>((run.start - super.first_data_block) / super.blocks_per_group);
        auto const first = run.start - super.first_block_of_group(group);
        auto const count = std::min<u64>(run.count, blocks_in_group(super, group) - first);
        TRY(edit_bitmap(disk, group, BitmapKind::blocks,
            [&](std::span<u8> bitmap, std::span<u8> descriptor) -> Result<void> {
                for (auto bit = first; bit < first + count; ++bit) {
                    if (!is_used(bitmap, bit))
                        return disk.corrupt("group ", group, ": block ",
                            super.first_block_of_group(group) + bit, " is freed twice");
                    bitmap[bit / 8] = static_cast<u8>(bitmap[bit / 8] & ~(1u << bit % 8));
                }
                auto const free = load_field(descriptor, group_field::free_blocks);
                store_field(descriptor, group_field::free_blocks, free + count);
                return {};
            }));
        TRY(add_free_blocks(disk, static_cast<i64>(count)));
        run = { run.start + count, run.count - count };
    }
    return {};
}

} // namespace gemel::ext4
