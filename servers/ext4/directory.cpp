#include "servers/ext4/directory.hpp"

#include "core/base/site.hpp"
#include "servers/ext4/directory_block.hpp"
#include "servers/ext4/directory_index.hpp"

#include <algorithm>
#include <utility>

namespace gemel::ext4 {

namespace {

// Cookies of an inline directory: "." and "..", which it does not store, then byte positions in
// the chain behind the parent's number, then in the chain that did not fit there.
constexpr u64 inline_dot = 0;
constexpr u64 inline_dot_dot = 1;
constexpr u64 inline_first_chain = 2;
constexpr usize inline_parent_bytes = 4;
constexpr u64 inline_second_chain = inline_first_chain + inode_map_bytes - inline_parent_bytes;

// Cookies come from outside: the first entry that starts at or after `offset`.
usize entry_from(Superblock const& super, Bytes chain, u64 offset)
{
    usize start = 0;
    while (start < offset && start < chain.size())
        start += entry_at(super, chain, start).bytes;
    return start;
}

Result<Found> find_by_listing(Disk& disk, Inode const& directory, std::string_view name)
{
    DirectoryCursor cursor(disk, directory, 0);
    auto missing = Error::not_found;
    while (true) {
        auto const next = cursor.next();
        if (!next && next.error() != Error::corrupt)
            return next.error();
        if (!next) {
            missing = Error::corrupt;
            continue;
        }
        auto const& entry = next.value();
        if (!entry)
            return missing;
        if (entry->name == name)
            return Found { entry->inode, entry->type };
    }
}

} // namespace

DirectoryCursor::DirectoryCursor(Disk& disk, Inode directory, u64 cookie)
    : disk_(&disk)
    , directory_(std::move(directory))
    , position_(cookie)
{
    ASSERT(directory_.is_directory());
}

Result<std::optional<ListedEntry>> DirectoryCursor::next()
{
    if (directory_.has(InodeFlag::inline_data))
        return next_inline();
    auto const block_bytes = disk_->super().block_bytes;
    while (position_ < directory_.size_bytes) {
        auto const start = position_ - position_ % block_bytes;
        if (!held_ || held_start_ != start) {
            held_ = TRY(load_block());
            held_start_ = start;
        }
        if (!held_) {
            position_ = start + block_bytes;
            continue;
        }
        if (auto const entry = TRY(next_in_chain(*held_, start)))
            return entry;
    }
    return std::optional<ListedEntry> {};
}

// The block at the position. Damage moves the position on: past the block, or to the end when it
// is the block map that is damaged.
Result<BlockRef> DirectoryCursor::load_block()
{
    auto const block_bytes = disk_->super().block_bytes;
    auto const file_block = position_ / block_bytes;
    auto const mapped = find_run(*disk_, directory_, file_block);
    if (!mapped) {
        position_ = directory_.size_bytes;
        return mapped.error();
    }
    auto block = load_directory_block(*disk_, directory_, file_block);
    if (!block)
        position_ = (file_block + 1) * block_bytes;
    return block;
}

// The next used entry of a checked chain; moves the position behind it, or to the chain's end.
Result<std::optional<ListedEntry>> DirectoryCursor::next_in_chain(Bytes chain, u64 chain_start)
{
    auto const& super = disk_->super();
    // A cookie is looked for once: from the start for each entry, a listing would take its square.
    auto const start = position_ - chain_start;
    auto offset = std::exchange(at_entry_, true) ? start : entry_from(super, chain, start);
    while (offset < chain.size()) {
        auto const entry = entry_at(super, chain, offset);
        offset += entry.bytes;
        position_ = chain_start + offset;
        if (entry.inode != 0)
            return std::optional(ListedEntry { entry.inode, entry.type, entry.name });
    }
    position_ = chain_start + chain.size();
    return std::optional<ListedEntry> {};
}

Result<std::optional<ListedEntry>> DirectoryCursor::next_inline()
{
    auto const first = Bytes(directory_.map).subspan(inline_parent_bytes);
    Bytes const second(directory_.inline_rest);
    auto const end = inline_second_chain + second.size();
    if (position_ >= end)
        return std::optional<ListedEntry> {};
    if (!inline_checked_) {
        // Where damage is found the listing has come to its end.
        auto const resume = std::exchange(position_, end);
        TRY(check_entries(*disk_, directory_, first, "inline data"));
        TRY(check_entries(*disk_, directory_, second, "inline data in system.data"));
        position_ = resume;
        inline_checked_ = true;
    }
    if (position_ == inline_dot) {
        position_ = inline_dot_dot;
        return std::optional(ListedEntry { directory_.number, FileType::directory, "." });
    }
    if (position_ == inline_dot_dot) {
        position_ = inline_first_chain;
        auto const parent = load32(directory_.map, 0);
        return std::optional(ListedEntry { parent, FileType::directory, ".." });
    }
    if (position_ < inline_second_chain) {
        if (auto const entry = TRY(next_in_chain(first, inline_first_chain)))
            return entry;
    }
    return next_in_chain(second, inline_second_chain);
}

Result<Found> find_name(Disk& disk, Inode const& directory, std::string_view name)
{
    if (!directory.is_directory())
        return Error::not_directory;
    if (name.size() > name_bytes_max)
        return Error::name_too_long;
    if (name.empty())
        return Error::not_found;
    // "." and ".." lie in the root of a hash tree, outside its order.
    bool const dots = name == "." || name == "..";
    if (!dots) {
        if (auto const* const known = disk.names().find(directory.number, name)) {
            if (!*known)
                SOMETIMES("ext4.absence_remembered");
            return *known ? Result<Found>(**known) : Error::not_found;
        }
    }
    auto const found = is_indexed(disk.super(), directory) && !dots
        ? find_by_hash(disk, directory, name)
        : find_by_listing(disk, directory, name);
    if (!dots && found)
        disk.names().put(directory.number, name, *found);
    else if (!dots && found.error() == Error::not_found)
        disk.names().put(directory.number, name, std::nullopt);
    return found;
}

} // namespace gemel::ext4
