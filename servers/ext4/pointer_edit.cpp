#include "servers/ext4/pointer_edit.hpp"

#include "servers/ext4/block_allocator.hpp"
#include "servers/ext4/block_pointers.hpp"

#include <algorithm>

namespace gemel::ext4 {

using namespace pointer_layout;

namespace {

// The pointers that one block, or the inode, holds; `block` 0 is the inode.
struct Holder {
    u64 block;
    u32 levels; // of blocks below each pointer
    u64 base; // the file block of pointer 0
    u64 covered; // file blocks below each pointer
    u64 pointers;
};

class PointerEditor {
public:
    PointerEditor(Disk& disk, Inode& inode)
        : disk_(disk)
        , inode_(inode)
    {
    }

    Result<void> insert(Extent extent)
    {
        if (extent.disk_block + extent.blocks - 1 > disk_block_max)
            return Error::no_space;
        while (extent.blocks > 0) {
            auto const done = TRY(insert_part(extent));
            extent.first += done;
            extent.disk_block += done;
            extent.blocks -= static_cast<u32>(done);
        }
        return {};
    }

    Result<u64> prepare(u64 file_block)
    {
        auto const holder = TRY(reach(file_block));
        return holder.base + holder.pointers - file_block;
    }

    Result<RemovedExtent> remove_last(u64 first, u64 end)
    {
        // The pointers of the inode, from the last on: each with what lies below it.
        for (u32 levels = levels_max; levels > 0; --levels) {
            auto const removed = TRY(remove_below(root(levels), first, end));
            if (removed.blocks != 0)
                return removed;
        }
        return remove_below({ 0, 0, 0, 1, direct_pointers }, first, end);
    }

private:
    u32 block_bytes() const { return disk_.super().block_bytes; }
    u64 per_block() const { return block_bytes() / pointer_bytes; }

    // The one pointer of the inode that has that many levels below it.
    Holder root(u32 levels) const
    {
        u64 base = direct_pointers;
        for (u32 each = 1; each < levels; ++each)
            base += covered_by(block_bytes(), each);
        return { 0, levels, base, covered_by(block_bytes(), levels), 1 };
    }
    Holder below(Holder const& holder, u64 block, u64 index) const
    {
        return { block, holder.levels - 1, holder.base + index * holder.covered,
            holder.covered / per_block(), per_block() };
    }
    // Where pointer `index` lies in its holder's bytes.
    static usize place(Holder const& holder, u64 index)
    {
        auto const before = holder.block == 0 && holder.levels > 0
            ? direct_pointers + holder.levels - 1
            : u64 { 0 };
        return (before + index) * pointer_bytes;
    }

    Result<u32> pointer(Holder const& holder, u64 index)
    {
        u32 value = 0;
        if (holder.block == 0)
            value = load32(inode_.map, place(holder, index));
        else
            value = load32(*TRY(load_pointers(disk_, inode_, holder.block)), place(holder, index));
        if (value != 0 && !disk_.super().holds_block(value)) {
            return disk_.corrupt("inode ", inode_.number, ": its pointers lead to block ", value,
                ", outside the volume");
        }
        return value;
    }
    Result<std::span<u8>> change(Holder const& holder)
    {
        if (holder.block == 0)
            return std::span<u8>(inode_.map);
        return disk_.change(
            holder.block, purpose_of_pointers(inode_), [](Bytes) { return Result<void> {}; });
    }

    Result<u64> take_block()
    {
        auto const& super = disk_.super();
        auto const group = (inode_.number - 1) / super.inodes_per_group;
        auto const run = TRY(allocate_blocks(disk_, super.first_block_of_group(group), 1));
        if (run.start > disk_block_max)
            return Error::no_space;
        disk_.create(run.start, purpose_of_pointers(inode_));
        inode_.allocated_bytes += super.block_bytes;
        return run.start;
    }

    // Who holds the pointer of a file block; blocks of pointers that are missing on the way are
    // made.
    Result<Holder> reach(u64 file_block)
    {
        Holder holder { 0, 0, 0, 1, direct_pointers };
        for (u32 levels = 1; file_block >= holder.base + holder.covered * holder.pointers;
             ++levels) {
            if (levels > levels_max)
                return Error::too_big;
            holder = root(levels);
        }
        while (holder.levels > 0) {
            auto const index = (file_block - holder.base) / holder.covered;
            u64 block = TRY(pointer(holder, index));
            if (block == 0) {
                block = TRY(take_block());
                store32(TRY(change(holder)), place(holder, index), static_cast<u32>(block));
            }
            holder = below(holder, block, index);
        }
        return holder;
    }

    // Maps the start of `extent`, as far as one holder goes; gives how many blocks.
    Result<u64> insert_part(Extent const& extent)
    {
        auto const holder = TRY(reach(extent.first));
        auto const index = extent.first - holder.base;
        auto const count = std::min<u64>(extent.blocks, holder.pointers - index);
        auto const bytes = TRY(change(holder));
        for (u64 each = 0; each < count; ++each) {
            if (load32(bytes, place(holder, index + each)) != 0) {
                return disk_.corrupt("inode ", inode_.number, ": file block ", extent.first + each,
                    " is mapped twice");
            }
            store32(bytes, place(holder, index + each), static_cast<u32>(extent.disk_block + each));
        }
        return count;
    }

    Result<RemovedExtent> remove_below(Holder const& holder, u64 first, u64 end)
    {
        if (end <= holder.base)
            return RemovedExtent {};
        auto const from = first <= holder.base ? 0 : (first - holder.base) / holder.covered;
        auto index = std::min(holder.pointers, (end - holder.base - 1) / holder.covered + 1);
        if (holder.levels == 0)
            return remove_data(holder, from, index);
        while (index > from) {
            --index;
            auto const block = TRY(pointer(holder, index));
            if (block == 0)
                continue;
            auto const inner = below(holder, block, index);
            auto const removed = TRY(remove_below(inner, first, end));
            if (TRY(is_empty(inner))) { // also one that others left behind so
                store32(TRY(change(holder)), place(holder, index), 0);
                TRY(free_pointer_block(block));
            }
            if (removed.blocks != 0)
                return removed;
        }
        return RemovedExtent {};
    }

    // The last stretch of consecutive blocks among pointers [from, end).
    Result<RemovedExtent> remove_data(Holder const& holder, u64 from, u64 end)
    {
        while (end > from && TRY(pointer(holder, end - 1)) == 0)
            --end;
        if (end <= from)
            return RemovedExtent {};
        u64 start = TRY(pointer(holder, end - 1));
        auto at = end - 1;
        while (at > from && start > 0 && TRY(pointer(holder, at - 1)) == start - 1) {
            --start;
            --at;
        }
        auto const bytes = TRY(change(holder));
        for (auto each = at; each < end; ++each)
            store32(bytes, place(holder, each), 0);
        return RemovedExtent { start, end - at };
    }

    Result<bool> is_empty(Holder const& holder)
    {
        auto const held = TRY(load_pointers(disk_, inode_, holder.block));
        return std::all_of(held->begin(), held->end(), [](u8 byte) { return byte == 0; });
    }
    Result<void> free_pointer_block(u64 block)
    {
        disk_.forget(block);
        inode_.allocated_bytes -= std::min<u64>(inode_.allocated_bytes, block_bytes());
        return free_blocks(disk_, { block, 1 });
    }

    Disk& disk_;
    Inode& inode_;
};

} // namespace

Result<void> insert_by_pointers(Disk& disk, Inode& inode, Extent const& extent)
{
    return PointerEditor(disk, inode).insert(extent);
}

Result<u64> prepare_pointers(Disk& disk, Inode& inode, u64 file_block)
{
    return PointerEditor(disk, inode).prepare(file_block);
}

Result<RemovedExtent> remove_last_by_pointers(Disk& disk, Inode& inode, u64 first, u64 end)
{
    return PointerEditor(disk, inode).remove_last(first, end);
}

} // namespace gemel::ext4
