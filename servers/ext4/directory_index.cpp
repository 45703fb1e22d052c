// Names whose hashes are equal may be split over neighbouring blocks; the lowest bit of a hash in
// the index says "continued from the block before". So a search goes on to the right while that is
// so, at most once through every block of the directory.
#include "servers/ext4/directory_index.hpp"

#include "servers/ext4/directory_block.hpp"
#include "servers/ext4/index_path.hpp"

namespace gemel::ext4 {

namespace {

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
