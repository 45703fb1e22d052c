// Names whose hashes are equal may be split over neighbouring blocks; the lowest bit of a hash in
// the index says "continued from the block before". So a search goes on to the right while that is
// so, at most once through every block of the directory.
#include "servers/ext4/directory_index.hpp"

#include "servers/ext4/directory_block.hpp"
#include "servers/ext4/index_block.hpp"
#include "servers/ext4/name_hash.hpp"

#include <array>

namespace gemel::ext4 {

namespace {

constexpr usize levels_max = 3; // root included; with large_dir
constexpr usize levels_max_small = 2;

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

private:
    struct Step {
        BlockRef held;
        IndexLevel level = IndexLevel::root;
        usize at = 0;
    };
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
        steps_[place] = Step { TRY(load(file_block, level)), level, 0 };
        return {};
    }
    Result<usize> count_nodes()
    {
        bool const large = disk_.super().has(Incompatible::large_dir);
        auto const nodes = index_root(*steps_[0].held).levels;
        if (nodes >= (large ? levels_max : levels_max_small))
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

Result<std::optional<Found>> find_in_block(
    Disk& disk, Inode const& directory, u64 file_block, std::string_view name)
{
    auto const& super = disk.super();
    auto const held = TRY(load_directory_block(disk, directory, file_block));
    if (!held) {
        return disk.corrupt("inode ", directory.number, ": its hash tree points to file block ",
            file_block, ", a hole");
    }
    Bytes const chain(*held);
    // An empty block with names ends in a checksum, so it cannot be mistaken for an inner one.
    if (super.has(ReadOnlyCompatible::metadata_csum) && looks_like_index_node(chain)) {
        return disk.corrupt(
            "inode ", directory.number, ": its hash tree is too deep at file block ", file_block);
    }
    for (usize offset = 0; offset < chain.size();) {
        auto const entry = entry_at(super, chain, offset);
        if (entry.inode != 0 && entry.name == name)
            return std::optional(Found { entry.inode, entry.type });
        offset += entry.bytes;
    }
    return std::optional<Found> {};
}

} // namespace

Result<Found> find_by_hash(Disk& disk, Inode const& directory, std::string_view name)
{
    IndexPath path(disk, directory);
    auto const hash = hash_name(TRY(path.method()), name);
    auto block = std::optional(TRY(path.descend(hash)));
    auto left = directory.size_bytes / disk.super().block_bytes;
    while (block && left-- > 0) {
        if (auto const found = TRY(find_in_block(disk, directory, *block, name)))
            return *found;
        block = TRY(path.advance(hash));
    }
    if (block) {
        return disk.corrupt(
            "inode ", directory.number, ": its hash tree runs in a circle at file block ", *block);
    }
    return Error::not_found;
}

} // namespace gemel::ext4
