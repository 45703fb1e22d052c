#include "servers/ext4/contents.hpp"

#include "servers/ext4/block_map.hpp"
#include "servers/ext4/inline_data.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u64 link_bytes_max = 4096;

// The run at `file_block`, joined with what follows it on the device, up to `blocks_max`.
Result<Run> find_long_run(Disk& disk, Inode const& inode, u64 file_block, u64 blocks_max)
{
    auto run = TRY(find_run(disk, inode, file_block));
    while (run.blocks < blocks_max) {
        auto const next = TRY(find_run(disk, inode, file_block + run.blocks));
        if (next.kind != run.kind)
            break;
        if (run.kind == Run::Kind::data && next.disk_block != run.disk_block + run.blocks)
            break;
        run.blocks += next.blocks;
    }
    return run;
}

// What is read ahead ends where the run ends.
Result<void> read_blocks(
    Disk& disk, Inode const& inode, u64 offset, std::span<u8> target, u64 ahead)
{
    u64 const block_bytes = disk.super().block_bytes;
    while (!target.empty()) {
        auto const skipped = offset % block_bytes;
        auto const wanted_blocks = (skipped + target.size() + ahead - 1) / block_bytes + 1;
        auto const run = TRY(find_long_run(disk, inode, offset / block_bytes, wanted_blocks));
        auto const run_bytes = std::min(run.blocks, wanted_blocks) * block_bytes - skipped;
        auto const bytes = std::min<u64>(run_bytes, target.size());
        auto const part = target.first(bytes);
        if (run.kind == Run::Kind::data)
            TRY(disk.contents(
                run.disk_block, skipped, part, inode.number, std::min(ahead, run_bytes - bytes)));
        else if (run.kind == Run::Kind::waiting)
            disk.waiting().read(inode.number, offset, part);
        else
            std::fill(part.begin(), part.end(), u8 { 0 });
        target = target.subspan(bytes);
        offset += bytes;
    }
    return {};
}

} // namespace

Result<usize> read_contents(
    Disk& disk, Inode const& inode, u64 offset, std::span<u8> target, u64 ahead)
{
    if (offset >= inode.size_bytes)
        return usize { 0 };
    target = target.first(std::min<u64>(target.size(), inode.size_bytes - offset));
    ahead = std::min(ahead, inode.size_bytes - offset - target.size());
    if (inode.has(InodeFlag::inline_data))
        read_inline(inode, offset, target);
    else
        TRY(read_blocks(disk, inode, offset, target, ahead));
    return target.size();
}

Result<std::string> read_link_target(Disk& disk, Inode const& inode)
{
    if (inode.type() != FileType::symbolic_link)
        return Error::invalid;
    if (inode.size_bytes == 0 || inode.size_bytes > link_bytes_max) {
        return disk.corrupt(
            "inode ", inode.number, ": a symbolic link of the impossible size ", inode.size_bytes);
    }
    std::string target(inode.size_bytes, '\0');
    bool const fast = !inode.has(InodeFlag::inline_data) && inode.size_bytes < inode_map_bytes;
    if (fast) {
        std::copy_n(inode.map.begin(), target.size(), target.begin());
    } else {
        auto const bytes = std::span(reinterpret_cast<u8*>(target.data()), target.size());
        TRY(read_contents(disk, inode, 0, bytes));
    }
    if (target.find('\0') != std::string::npos)
        return disk.corrupt("inode ", inode.number, ": a symbolic link with a zero byte in it");
    return target;
}

} // namespace gemel::ext4
