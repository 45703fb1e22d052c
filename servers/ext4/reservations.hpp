// What the allocator of blocks remembers, in memory only: runs that growing files will likely take
// next, which others leave alone while there is anything else, and how long the free runs of each
// group are at most. All of it are hints; the bitmaps decide.
#pragma once

#include "core/base/types.hpp"

#include <optional>
#include <vector>

namespace gemel::ext4 {

// Of each file that grows, the blocks of its next part. Few enough to be looked through.
class Reservations {
public:
    static constexpr usize windows_max = 64; // beyond that the oldest goes

    struct Window {
        u64 file_block = 0; // that will lie in its first block
        u64 start = 0;
        u64 count = 0; // at least one
    };

    // The inode's, if that is the file block it waits for.
    std::optional<Window> find(u32 inode, u64 file_block) const;
    // In place of the one that the inode has.
    void set(u32 inode, Window window);
    // The first `count` blocks of the inode's are taken.
    void take(u32 inode, u64 count);
    void drop(u32 inode);
    void drop_all() { kept_.clear(); }
    usize size() const { return kept_.size(); }

    // Calls visit(Window) for each window of other inodes that begins in [start, end).
    template <typename Visit>
    void each_of_others(u32 inode, u64 start, u64 end, Visit const& visit) const
    {
        for (auto const& each : kept_) {
            if (each.inode != inode && each.window.start >= start && each.window.start < end)
                visit(each.window);
        }
    }

private:
    struct Kept {
        u32 inode;
        Window window;
    };

    std::vector<Kept> kept_; // the oldest first
};

class FreeRuns {
public:
    // Whether a free run of `count` blocks may be in the group.
    bool may_hold(u32 group, u64 count) const
    {
        return group >= longest_.size() || longest_[group] >= count;
    }
    // The group has no longer run than that, as long as nothing in it becomes free.
    void note(u32 group, u32 longest);
    // Blocks may have become free: in a group, anywhere.
    void forget(u32 group);
    void forget_all() { longest_.clear(); }

private:
    static constexpr u32 unknown = ~0u;

    std::vector<u32> longest_; // by group
};

} // namespace gemel::ext4
