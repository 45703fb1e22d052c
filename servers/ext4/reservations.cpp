#include "servers/ext4/reservations.hpp"

#include <algorithm>

namespace gemel::ext4 {

std::optional<Reservations::Window> Reservations::find(u32 inode, u64 file_block) const
{
    for (auto const& each : kept_) {
        if (each.inode == inode && each.window.file_block == file_block)
            return each.window;
    }
    return std::nullopt;
}

void Reservations::set(u32 inode, Window window)
{
    kept_.reserve(windows_max);
    drop(inode);
    if (kept_.size() == windows_max)
        kept_.erase(kept_.begin());
    kept_.push_back({ inode, window });
}

void Reservations::take(u32 inode, u64 count)
{
    for (auto& each : kept_) {
        if (each.inode != inode)
            continue;
        auto& window = each.window;
        if (count >= window.count)
            return drop(inode);
        window = { window.file_block + count, window.start + count, window.count - count };
        return;
    }
}

void Reservations::drop(u32 inode)
{
    std::erase_if(kept_, [&](Kept const& each) { return each.inode == inode; });
}

void FreeRuns::note(u32 group, u32 longest)
{
    if (group >= longest_.size())
        longest_.resize(group + usize { 1 }, unknown);
    longest_[group] = std::min(longest_[group], longest);
}

void FreeRuns::forget(u32 group)
{
    if (group < longest_.size())
        longest_[group] = unknown;
}

} // namespace gemel::ext4
