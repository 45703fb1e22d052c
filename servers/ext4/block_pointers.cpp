// Layout: ext4 documentation, "Direct/Indirect Block Addressing". Pointer blocks carry no checksum;
// a walk is as long as the level says, whatever they hold.
#include "servers/ext4/block_pointers.hpp"

namespace gemel::ext4 {

using namespace pointer_layout;

namespace {

// Which pointer of the inode leads to a file block, and what lies below that pointer.
struct Descent {
    usize root; // index of the pointer in the inode
    u32 levels; // blocks of pointers on the way
    u64 index; // of the file block below the pointer
    u64 covered; // file blocks below the pointer
};

Result<Descent> plan(Disk& disk, Inode const& inode, u64 file_block)
{
    if (file_block < direct_pointers)
        return Descent { static_cast<usize>(file_block), 0, 0, 1 };
    u64 const per_block = disk.super().block_bytes / pointer_bytes;
    auto index = file_block - direct_pointers;
    u64 covered = 1;
    for (u32 levels = 1; levels <= levels_max; ++levels) {
        covered *= per_block;
        if (index < covered)
            return Descent { direct_pointers + levels - 1, levels, index, covered };
        index -= covered;
    }
    return disk.corrupt("inode ", inode.number, ": file block ", file_block,
        " is more than its block pointers can map");
}

Result<u32> pointer_at(Disk& disk, Inode const& inode, u64 holder, Bytes pointers, u64 index)
{
    auto const pointer = load32(pointers, index * pointer_bytes);
    if (pointer == 0 || disk.super().holds_block(pointer))
        return pointer;
    if (holder == 0) {
        return disk.corrupt(
            "inode ", inode.number, ": it points to block ", pointer, ", outside the volume");
    }
    return disk.corrupt("inode ", inode.number, ": pointer block ", holder, " points to block ",
        pointer, ", outside the volume");
}

// How many pointers from `index` on continue the one there: all zero, or each one more.
u64 count_alike(Superblock const& super, Bytes pointers, u64 index, u64 end)
{
    auto const first = load32(pointers, index * pointer_bytes);
    u64 count = 1;
    while (index + count < end) {
        auto const expected = first == 0 ? 0 : first + count;
        auto const found = load32(pointers, (index + count) * pointer_bytes);
        if (found != expected || (found != 0 && !super.holds_block(found)))
            break;
        ++count;
    }
    return count;
}

Run run_of(u32 pointer, u64 blocks)
{
    return { pointer == 0 ? Run::Kind::zeros : Run::Kind::data, blocks, pointer };
}

} // namespace

Result<BlockRef> load_pointers(Disk& disk, Inode const& inode, u64 block)
{
    return disk.metadata(block, purpose_of_pointers(inode), [](Bytes) { return Result<void> {}; });
}

Result<Run> find_run_by_pointers(Disk& disk, Inode const& inode, u64 file_block)
{
    auto const& super = disk.super();
    auto [root, levels, index, covered] = TRY(plan(disk, inode, file_block));
    auto pointer = TRY(pointer_at(disk, inode, 0, inode.map, root));
    if (levels == 0)
        return run_of(pointer, count_alike(super, inode.map, root, direct_pointers));

    u64 const per_block = super.block_bytes / pointer_bytes;
    for (; levels > 0; --levels) {
        if (pointer == 0)
            return run_of(0, covered - index);
        auto const held = TRY(load_pointers(disk, inode, pointer));
        covered /= per_block;
        auto const slot = index / covered;
        index %= covered;
        pointer = TRY(pointer_at(disk, inode, pointer, *held, slot));
        if (levels == 1)
            return run_of(pointer, count_alike(super, *held, slot, per_block));
    }
    ASSERT(false);
    return Error::corrupt;
}

} // namespace gemel::ext4
