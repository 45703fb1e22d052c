// A way through a directory's hash tree, for finding names and for adding them.
#pragma once

#include "servers/ext4/index_block.hpp"
#include "servers/ext4/name_hash.hpp"

#include <array>

namespace gemel::ext4 {

inline constexpr usize levels_max = 3; // root included; with large_dir
inline constexpr usize levels_max_small = 2;

// The way from the root down to the index block above the names.
class IndexPath {
public:
    IndexPath(Disk& disk, Inode const& directory)
        : disk_(disk)
        , directory_(directory)
    {
    }

    // Goes to the place for the hash. Returns the directory's block with its names.
    Result<u64> descend(u32 hash)
    {
        levels_ = 1;
        TRY(enter(0, IndexLevel::root));
        auto const nodes = TRY(count_nodes());
        steps_[0].at = view(steps_[0]).find(hash);
        while (levels_ <= nodes) {
            TRY(enter(target(), IndexLevel::node));
            ++levels_;
            steps_[levels_ - 1].at = view(steps_[levels_ - 1]).find(hash);
        }
        return checked_target();
    }

    // The next block that may hold names of that hash; nothing when there is none.
    Result<std::optional<u64>> advance(u32 hash)
    {
        auto level = levels_;
        while (level > 0 && steps_[level - 1].at + 1 >= view(steps_[level - 1]).count())
            --level;
        if (level == 0)
            return std::optional<u64> {};
        auto& turn = steps_[level - 1];
        ++turn.at;
        if ((view(turn).hash(turn.at) & ~1u) != hash)
            return std::optional<u64> {};
        auto const depth = levels_;
        for (levels_ = level; levels_ < depth; ++levels_)
            TRY(enter(target(), IndexLevel::node));
        return std::optional(TRY(checked_target()));
    }

    Result<HashMethod> method()
    {
        auto const version = index_root(*TRY(load(0, IndexLevel::root))).hash_version;
        auto const method = hash_method(disk_.super(), version);
        if (method)
            return *method;
        return bad("asks for the unknown hash", version);
    }

    struct Step {
        BlockRef held;
        IndexLevel level = IndexLevel::root;
        usize at = 0;
        u64 file_block = 0;
    };
    // From the root (0) to the block above the names.
    usize levels() const { return levels_; }
    Step const& step(usize level) const { return steps_[level]; }
    static usize levels_max_of(Superblock const& super)
    {
        return super.has(Incompatible::large_dir) ? levels_max : levels_max_small;
    }

private:
    static IndexBlock view(Step const& step) { return { *step.held, step.level }; }
    u64 target() const
    {
        auto const& last = steps_[levels_ - 1];
        return view(last).block(last.at);
    }
    Error bad(std::string_view what, u64 value)
    {
        return disk_.corrupt("inode ", directory_.number, ": its hash tree ", what, " ", value);
    }
    Result<BlockRef> load(u64 file_block, IndexLevel level)
    {
        return load_index_block(disk_, directory_, file_block, level);
    }

    // Takes the block as the step after the last one, or as the root, at its first entry.
    Result<void> enter(u64 file_block, IndexLevel level)
    {
        auto const place = level == IndexLevel::root ? 0 : levels_;
        TRY(check_inside(file_block));
        steps_[place] = Step { TRY(load(file_block, level)), level, 0, file_block };
        return {};
    }
    Result<usize> count_nodes()
    {
        auto const nodes = index_root(*steps_[0].held).levels;
        if (nodes >= levels_max_of(disk_.super()))
            return bad("has the impossible depth", nodes);
        return usize { nodes };
    }
    Result<void> check_inside(u64 file_block)
    {
        if (file_block < directory_.size_bytes / disk_.super().block_bytes)
            return {};
        return bad("points behind the directory's end, to file block", file_block);
    }
    Result<u64> checked_target()
    {
        TRY(check_inside(target()));
        if (target() == 0)
            return bad("points back to its root from file block", target());
        return target();
    }

    Disk& disk_;
    Inode const& directory_;
    usize levels_ = 0;
    std::array<Step, levels_max> steps_;
};

} // namespace gemel::ext4
