#include "servers/ext4/block_allocator.hpp"

#include "servers/ext4/free_map.hpp"

#include <algorithm>
#include <bit>

namespace gemel::ext4 {

namespace {

constexpr u32 groups_searched_for_runs = 16;
constexpr u64 window_blocks_min = 8; // shorter ones are no use
constexpr u64 window_blocks_max = 2048;

bool is_used(Bytes bitmap, u64 bit)
{
    return (bitmap[bit / 8] >> bit % 8 & 1) != 0;
}

// What a request is about: `wanted` blocks, and behind them what is kept for the inode up to
// `window` in all.
struct Wanted {
    u32 inode; // 0: nobody's
    u64 goal;
    u64 count;
    u64 window;
};

// Whether blocks that are kept for other files may be had.
enum class Others : u8 { respected, ignored };

class Search {
public:
    Search(Disk& disk, Wanted const& wanted)
        : disk_(disk)
        , wanted_(wanted)
        , first_group_(static_cast<u32>(
              (wanted.goal - disk.super().first_data_block) / disk.super().blocks_per_group))
    {
    }

    // At the goal, or a buddy of the whole window in a group nearby.
    Result<std::optional<BlockRun>> window();
    // At the goal, or a run of all that is wanted nearby, or of anything anywhere.
    Result<std::optional<BlockRun>> any(Others others);

private:
    struct Group {
        u32 number;
        u32 from; // where to look first
        FreeMap map;
        bool is_all; // nothing of it is kept for others
    };
    // A search of the group found no run of more than `longest` blocks.
    void note(Group const& group, u32 longest)
    {
        if (group.is_all)
            disk_.free_runs().note(group.number, longest);
    }

    u32 groups_nearby() const { return std::min(groups_searched_for_runs, disk_.super().groups); }
    // A group that may have a free run of that many blocks.
    Result<std::optional<Group>> group(u32 step, u64 blocks, Others others);
    BlockRun run(Group const& group, FreeMap::Run const& found) const
    {
        return { disk_.super().first_block_of_group(group.number) + found.start, found.count };
    }

    Disk& disk_;
    Wanted const& wanted_;
    u32 first_group_;
};

Result<std::optional<Search::Group>> Search::group(u32 step, u64 blocks, Others others)
{
    auto const& super = disk_.super();
    auto const number = (first_group_ + step) % super.groups;
    auto const descriptor = TRY(load_group(disk_, number));
    // Behind the goal itself anything is welcome.
    auto const needed = step == 0 ? 1 : blocks;
    if (load_field(descriptor, group_field::free_blocks) < needed
        || !disk_.free_runs().may_hold(number, needed))
        return std::optional<Group> {};
    auto const start = super.first_block_of_group(number);
    FreeMap map(
        *TRY(load_bitmap(disk_, number, BitmapKind::blocks)), blocks_in_group(super, number));
    map.add_used(*TRY(load_committed_bitmap(disk_, number, BitmapKind::blocks)));
    bool is_all = true;
    if (others == Others::respected) {
        disk_.reservations().each_of_others(
            wanted_.inode, start, start + map.blocks(), [&](Reservations::Window const& window) {
                map.add_used(FreeMap::Run {
                    static_cast<u32>(window.start - start), static_cast<u32>(window.count) });
                is_all = false;
            });
    }
    auto const from = step == 0 ? static_cast<u32>(wanted_.goal - start) : 0;
    return std::optional(Group { number, from, std::move(map), is_all });
}

Result<std::optional<BlockRun>> Search::window()
{
    auto const order = static_cast<u32>(std::bit_width(wanted_.window) - 1);
    for (u32 step = 0; step < groups_nearby(); ++step) {
        auto const group = TRY(this->group(step, wanted_.window, Others::respected));
        if (!group)
            continue;
        auto const& map = group->map;
        if (step == 0 && group->from < map.blocks() && map.is_free(group->from)) {
            auto const count = map.length(group->from, std::max(wanted_.window, wanted_.count));
            return std::optional(run(*group, { group->from, count }));
        }
        auto const found = map.buddy(group->from, order);
        if (found.count > 0)
            return std::optional(run(*group, found));
        note(*group, static_cast<u32>(2 * wanted_.window - 1)); // two buddies lie in any longer one
    }
    return std::optional<BlockRun> {};
}

Result<std::optional<BlockRun>> Search::any(Others others)
{
    for (u32 round = 0; round < 2; ++round) {
        auto const enough = round == 0 ? wanted_.count : 1;
        auto const groups = round == 0 ? groups_nearby() : disk_.super().groups;
        for (u32 step = 0; step < groups; ++step) {
            auto const group = TRY(this->group(step, enough, others));
            if (!group)
                continue;
            auto const found = group->map.choose(group->from, wanted_.count);
            bool const at_goal = step == 0 && found.count > 0 && found.start == group->from;
            if (found.count > 0 && (found.count >= enough || at_goal))
                return std::optional(run(*group, found));
            note(*group, found.count);
        }
    }
    return std::optional<BlockRun> {};
}

Result<BlockRun> take(Disk& disk, BlockRun run)
{
    auto const& super = disk.super();
    auto const group
        = static_cast<u32>((run.start - super.first_data_block) / super.blocks_per_group);
    auto const first = run.start - super.first_block_of_group(group);
    TRY(edit_bitmap(disk, group, BitmapKind::blocks,
        [&](std::span<u8> bitmap, std::span<u8> descriptor) -> Result<void> {
            for (auto bit = first; bit < first + run.count; ++bit)
                bitmap[bit / 8] = static_cast<u8>(bitmap[bit / 8] | 1u << bit % 8);
            auto const free = load_field(descriptor, group_field::free_blocks);
            if (free < run.count)
                return disk.corrupt("group ", group, ": its bitmap has more free blocks than ",
                    "its descriptor counts, ", free);
            store_field(descriptor, group_field::free_blocks, free - run.count);
            return {};
        }));
    TRY(add_free_blocks(disk, -static_cast<i64>(run.count)));
    return run;
}

// The free blocks without those that are `kept` and those that are promised to others. A promise
// cannot be kept with what is `unusable` until the next commit.
Result<u64> blocks_besides(Disk& disk, u64 kept, u64 promised, u64 unusable)
{
    auto const free = TRY(free_counts(disk)).blocks;
    return free - std::min(free, std::max(kept, unusable) + promised);
}

// Of what is wanted, what may be had at all. Error::no_space.
Result<Wanted> within_reason(Disk& disk, Wanted wanted, u64 kept)
{
    auto const& super = disk.super();
    auto const promised = disk.waiting().promised();
    auto const unusable = promised == 0 ? 0 : disk.transaction().freed_blocks();
    auto const room = TRY(blocks_besides(disk, kept, promised, unusable));
    if (room == 0)
        return Error::no_space;
    wanted.count = std::min({ wanted.count, room, static_cast<u64>(super.blocks_per_group) });
    if (!super.holds_block(wanted.goal))
        wanted.goal = super.first_data_block;
    return wanted;
}

// What is kept for files that grow is there for everybody before space is said to be short.
Result<BlockRun> allocate(Disk& disk, Wanted const& wanted)
{
    Search search(disk, wanted);
    if (auto const found = TRY(search.any(Others::respected)))
        return take(disk, *found);
    disk.reservations().drop_all();
    if (auto const found = TRY(search.any(Others::ignored)))
        return take(disk, *found);
    return Error::no_space;
}

// The next blocks of what is kept for the inode, as far as they are free still.
Result<std::optional<BlockRun>> kept_for(Disk& disk, Wanted const& wanted, u64 file_block)
{
    auto const& super = disk.super();
    auto const window = disk.reservations().find(wanted.inode, file_block);
    if (!window)
        return std::optional<BlockRun> {};
    auto const group
        = static_cast<u32>((window->start - super.first_data_block) / super.blocks_per_group);
    FreeMap map(*TRY(load_bitmap(disk, group, BitmapKind::blocks)), blocks_in_group(super, group));
    map.add_used(*TRY(load_committed_bitmap(disk, group, BitmapKind::blocks)));
    auto const from = static_cast<u32>(window->start - super.first_block_of_group(group));
    auto const count = map.length(from, std::min(wanted.count, window->count));
    if (count == 0) {
        disk.reservations().drop(wanted.inode);
        return std::optional<BlockRun> {};
    }
    auto const run = TRY(take(disk, { window->start, count }));
    disk.reservations().take(wanted.inode, count);
    return std::optional(run);
}

} // namespace

Result<u64> promisable_blocks(Disk& disk)
{
    return blocks_besides(disk, disk.super().kept_blocks(), disk.waiting().promised(),
        disk.transaction().freed_blocks());
}

Result<BlockRun> allocate_blocks(Disk& disk, u64 goal, u64 count_max)
{
    auto const kept = disk.super().kept_blocks();
    return allocate(disk, TRY(within_reason(disk, { 0, goal, count_max, 0 }, kept)));
}

Result<u64> allocate_map_block(Disk& disk, u64 goal)
{
    return TRY(allocate(disk, TRY(within_reason(disk, { 0, goal, 1, 0 }, 0)))).start;
}

Result<BlockRun> allocate_growing(Disk& disk, u32 inode, u64 file_block, u64 goal, u64 count_max)
{
    auto wanted
        = TRY(within_reason(disk, { inode, goal, count_max, 0 }, disk.super().kept_blocks()));
    if (auto const kept = TRY(kept_for(disk, wanted, file_block)))
        return *kept;
    // As much again as the file has, and some more; a whole request in any case.
    auto const grown = std::clamp(2 * file_block, window_blocks_min, window_blocks_max);
    wanted.window = std::bit_ceil(std::max(grown, std::min(count_max, window_blocks_max)));
    for (; wanted.window >= std::max(window_blocks_min, wanted.count); wanted.window /= 2) {
        auto const found = TRY(Search(disk, wanted).window());
        if (!found)
            continue;
        auto const run = TRY(take(disk, { found->start, std::min(found->count, wanted.count) }));
        if (found->count > run.count) {
            disk.reservations().set(
                inode, { file_block + run.count, run.start + run.count, found->count - run.count });
        }
        return run;
    }
    return allocate(disk, wanted);
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
        FreeMap const map(
            *bitmap, static_cast<u32>(std::min<u64>(blocks_in_group(super, group), end - start)));
        for (auto bit = map.find(static_cast<u32>(at - start)); bit < map.blocks();) {
            auto const count = map.length(bit, map.blocks());
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
    disk.transaction().note_freed_blocks(run.count);
    while (run.count > 0) {
        auto const group
            = static_cast<u32>((run.start - super.first_data_block) / super.blocks_per_group);
        disk.free_runs().forget(group);
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
