#include "servers/ext4/file_edit.hpp"

#include "servers/ext4/block_allocator.hpp"
#include "servers/ext4/inline_edit.hpp"
#include "servers/ext4/map_edit.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u32 extents_in_a_step = 8;
constexpr u32 unwritten_blocks_max = extent_layout::written_blocks_max - 1;

// find_run tells unwritten blocks from holes by their place.
bool is_hole(Run const& run)
{
    return run.kind == Run::Kind::zeros && run.disk_block == 0;
}

// Behind the file's block before, where there is one; then the file grows.
struct Goal {
    u64 block;
    bool grows;
};

Result<Goal> goal_for(Disk& disk, Inode const& inode, u64 file_block)
{
    auto const& super = disk.super();
    if (file_block > 0) {
        auto const before = TRY(find_run(disk, inode, file_block - 1));
        if (before.disk_block != 0)
            return Goal { before.disk_block + 1, true };
    }
    auto const group = (inode.number - 1) / super.inodes_per_group;
    return Goal { super.first_block_of_group(group), false };
}

// Whole blocks from `disk_block` on: zeros around the part that is written.
Result<void> write_blocks(
    Disk& disk, Inode const& inode, u64 disk_block, u64 blocks, u64 skipped, Bytes part)
{
    auto const bytes = blocks * disk.super().block_bytes;
    if (part.size() == bytes)
        return disk.write_contents(disk_block, 0, part, inode.number);
    std::vector<u8> whole(bytes);
    std::copy(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(skipped));
    return disk.write_contents(disk_block, 0, whole, inode.number);
}

// Blocks for a hole of the file.
Result<BlockRun> take_blocks(Disk& disk, Inode const& inode, u64 file_block, u64 count_max)
{
    auto const goal = TRY(goal_for(disk, inode, file_block));
    return goal.grows ? allocate_growing(disk, inode.number, file_block, goal.block, count_max)
                      : allocate_blocks(disk, goal.block, count_max);
}

// Where there is no block yet: as much of `part` as can wait for its place does. Answers how much.
Result<usize> let_wait(Disk& disk, Inode const& inode, Run const& run, u64 offset, Bytes part)
{
    u64 const block_bytes = disk.super().block_bytes;
    auto& waiting = disk.waiting();
    if (!is_hole(run) || !inode.has(InodeFlag::extents) || inode.type() != FileType::regular)
        return usize { 0 };
    auto const first = offset / block_bytes;
    auto const skipped = offset % block_bytes;
    auto const blocks = std::min(waiting.room(), (skipped + part.size() - 1) / block_bytes + 1);
    if (blocks == 0 || waiting.growth(inode.number, first, blocks) > TRY(promisable_blocks(disk)))
        return usize { 0 };
    part = part.first(std::min<u64>(part.size(), blocks * block_bytes - skipped));
    waiting.add(inode.number, inode.size_bytes, { first, blocks }, skipped, part);
    return part.size();
}

// The same with blocks that are chosen now, or that the file has and never wrote to.
Result<usize> write_new_blocks(Disk& disk, Inode& inode, Run run, u64 offset, Bytes part)
{
    u64 const block_bytes = disk.super().block_bytes;
    auto const first = offset / block_bytes;
    auto const skipped = offset % block_bytes;
    auto blocks = (skipped + part.size() - 1) / block_bytes + 1;
    bool const hole = is_hole(run);
    if (hole) {
        blocks = TRY(prepare_mapping(disk, inode, first, blocks));
        auto const got = TRY(take_blocks(disk, inode, first, blocks));
        run.disk_block = got.start;
        blocks = got.count;
    }
    part = part.first(std::min<u64>(part.size(), blocks * block_bytes - skipped));
    TRY(write_blocks(disk, inode, run.disk_block, blocks, skipped, part));
    if (hole) {
        TRY(insert_mapping(
            disk, inode, { first, static_cast<u32>(blocks), Run::Kind::data, run.disk_block }));
        inode.allocated_bytes += blocks * block_bytes;
    } else {
        TRY(mark_written(disk, inode, first, blocks));
    }
    return part.size();
}

} // namespace

u64 file_bytes_max(Superblock const& super, Inode const& inode)
{
    // Without the feature only the lower half of a size is kept, as a signed number.
    constexpr u64 small_file_bytes_max = 0x7FFF'FFFF;
    if (!super.has(ReadOnlyCompatible::large_file))
        return small_file_bytes_max;
    return mapped_blocks_max(super, inode) * super.block_bytes;
}

Result<usize> write_piece(Disk& disk, Inode& inode, u64 offset, Bytes source)
{
    bool const inside = inode.has(InodeFlag::inline_data);
    if (!inside && !may_become_inline(disk.super(), inode))
        return write_mapped_piece(disk, inode, offset, source, Placing::later);
    auto const room = TRY(inline_bytes_max(disk, inode));
    if (offset <= room && source.size() <= room - offset) {
        TRY(write_inline(disk, inode, offset, source));
        return source.size();
    }
    if (inside)
        TRY(move_file_out(disk, inode));
    return write_mapped_piece(disk, inode, offset, source, Placing::later);
}

Result<usize> write_mapped_piece(
    Disk& disk, Inode& inode, u64 offset, Bytes source, Placing placing)
{
    u64 const block_bytes = disk.super().block_bytes;
    auto const limit = file_bytes_max(disk.super(), inode);
    if (offset >= limit)
        return Error::too_big;
    source = source.first(std::min<u64>({ source.size(), piece_bytes_max, limit - offset }));
    auto const file_block = offset / block_bytes;
    auto const skipped = offset % block_bytes;
    auto const run = TRY(find_run(disk, inode, file_block));
    auto const blocks = std::min(run.blocks, (skipped + source.size() - 1) / block_bytes + 1);
    auto part = source.first(std::min<u64>(source.size(), blocks * block_bytes - skipped));
    if (run.kind == Run::Kind::data) {
        TRY(disk.write_contents(run.disk_block, skipped, part, inode.number));
    } else if (run.kind == Run::Kind::waiting) {
        disk.waiting().overwrite(inode.number, offset, part);
    } else {
        auto const waiting
            = placing == Placing::later ? TRY(let_wait(disk, inode, run, offset, part)) : 0;
        // Blocks behind some that wait would be behind the end that the disk knows.
        if (waiting == 0 && disk.waiting().has(inode.number))
            return usize { 0 };
        auto const done
            = waiting > 0 ? waiting : TRY(write_new_blocks(disk, inode, run, offset, part));
        part = part.first(done);
    }
    inode.size_bytes = std::max(inode.size_bytes, offset + part.size());
    return part.size();
}

Result<Progress> place_some_waiting(Disk& disk, Inode& inode)
{
    auto& waiting = disk.waiting();
    auto const block_bytes = disk.super().block_bytes;
    for (u32 step = 0; step < extents_in_a_step; ++step) {
        auto const range = waiting.first_of(inode.number);
        if (range.blocks == 0)
            return Progress::done;
        auto const got = TRY(take_blocks(disk, inode, range.first,
            std::min<u64>(range.blocks, extent_layout::written_blocks_max)));
        for (u64 done = 0; done < got.count;) {
            auto const bytes = waiting.bytes_at(inode.number, range.first + done);
            auto const count = std::min<u64>(bytes.size() / block_bytes, got.count - done);
            TRY(disk.write_contents(
                got.start + done, 0, bytes.first(count * block_bytes), inode.number));
            done += count;
        }
        TRY(insert_mapping(
            disk, inode, { range.first, static_cast<u32>(got.count), Run::Kind::data, got.start }));
        inode.allocated_bytes += got.count * block_bytes;
        waiting.drop(inode.number, range.first, range.first + got.count);
    }
    return waiting.has(inode.number) ? Progress::more : Progress::done;
}

Result<Progress> free_some_blocks(Disk& disk, Inode& inode, u64 first, u64 end)
{
    disk.reservations().drop(inode.number);
    disk.waiting().drop(inode.number, first, end);
    auto const block_bytes = disk.super().block_bytes;
    for (u32 step = 0; step < extents_in_a_step; ++step) {
        auto const removed = TRY(remove_last_mapping(disk, inode, first, end));
        if (removed.blocks == 0)
            return Progress::done;
        if (inode.is_directory()) {
            for (u64 each = 0; each < removed.blocks; ++each)
                disk.forget(removed.disk_block + each);
        }
        TRY(free_blocks(disk, { removed.disk_block, removed.blocks }));
        inode.allocated_bytes -= std::min<u64>(inode.allocated_bytes, removed.blocks * block_bytes);
    }
    return Progress::more;
}

Result<void> zero_bytes(Disk& disk, Inode const& inode, u64 from, u64 to)
{
    u64 const block_bytes = disk.super().block_bytes;
    while (from < to) {
        auto const run = TRY(find_run(disk, inode, from / block_bytes));
        auto const skipped = from % block_bytes;
        auto const bytes
            = std::min({ to - from, run.blocks * block_bytes - skipped, u64 { piece_bytes_max } });
        if (run.kind == Run::Kind::data) {
            std::vector<u8> const zeros(bytes);
            TRY(disk.write_contents(run.disk_block, skipped, zeros, inode.number));
        } else if (run.kind == Run::Kind::waiting) {
            std::vector<u8> const zeros(bytes);
            disk.waiting().overwrite(inode.number, from, zeros);
        }
        from += bytes;
    }
    return {};
}

Result<Progress> fill_first_hole(Disk& disk, Inode& inode, u64 first, u64 end)
{
    while (first < end) {
        auto const run = TRY(find_run(disk, inode, first));
        if (!is_hole(run)) {
            first += run.blocks;
            continue;
        }
        auto const wanted = std::min({ run.blocks, end - first, u64 { unwritten_blocks_max } });
        disk.reservations().drop(inode.number); // it says itself what it needs
        auto const goal = TRY(goal_for(disk, inode, first));
        auto const got = TRY(allocate_blocks(disk, goal.block, wanted));
        TRY(insert_extent(
            disk, inode, { first, static_cast<u32>(got.count), Run::Kind::zeros, got.start }));
        inode.allocated_bytes += got.count * disk.super().block_bytes;
        return Progress::more;
    }
    return Progress::done;
}

Result<Progress> unwrite_last_data(Disk& disk, Inode& inode, u64 first, u64 end)
{
    for (auto at = first; at < end;) {
        auto const run = TRY(find_run(disk, inode, at));
        auto const count = std::min({ run.blocks, end - at, u64 { unwritten_blocks_max } });
        if (run.kind == Run::Kind::data) {
            auto const removed = TRY(remove_last_extent(disk, inode, at, at + count));
            if (removed.blocks != count)
                return disk.corrupt("inode ", inode.number, ": file block ", at, " vanished");
            TRY(insert_extent(
                disk, inode, { at, static_cast<u32>(count), Run::Kind::zeros, run.disk_block }));
            return Progress::more;
        }
        at += count;
    }
    return Progress::done;
}

} // namespace gemel::ext4
