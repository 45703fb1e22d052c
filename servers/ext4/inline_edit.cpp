#include "servers/ext4/inline_edit.hpp"

#include "servers/ext4/attribute_store.hpp"
#include "servers/ext4/file_edit.hpp"
#include "servers/ext4/index_edit.hpp"
#include "servers/ext4/map_edit.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr usize parent_bytes = 4; // of a directory, before its first chain
constexpr usize entry_bytes_min = 12;
constexpr usize dots_bytes = 24; // "." and "..", where a block begins

// All that the inode keeps: what lies in its map, and the rest.
std::vector<u8> bytes_in(Inode const& inode)
{
    std::vector<u8> bytes(inode.map.begin(), inode.map.end());
    bytes.insert(bytes.end(), inode.inline_rest.begin(), inode.inline_rest.end());
    return bytes;
}

Result<void> keep(Disk& disk, Inode& inode, Bytes bytes)
{
    ASSERT(bytes.size() >= inode_map_bytes);
    auto store = TRY(AttributeStore::load(disk, inode));
    auto const rest = bytes.subspan(inode_map_bytes);
    auto const room = store.inline_room();
    if (!room || rest.size() > *room) {
        return disk.corrupt(
            "inode ", inode.number, ": its inline data have no room beside its attributes");
    }
    std::copy_n(bytes.begin(), inode_map_bytes, inode.map.begin());
    inode.inline_rest.assign(rest.begin(), rest.end());
    inode.flags |= static_cast<u32>(InodeFlag::inline_data);
    inode.flags &= ~static_cast<u32>(InodeFlag::extents);
    store.set_inline_rest(rest);
    return store.save(inode);
}

// From now on a map of blocks, with nothing in it.
Result<void> let_go(Disk& disk, Inode& inode)
{
    auto store = TRY(AttributeStore::load(disk, inode));
    store.remove(inline_rest_name());
    inode.inline_rest.clear();
    inode.map.fill(0);
    inode.flags &= ~static_cast<u32>(InodeFlag::inline_data);
    start_map(disk.super(), inode);
    return store.save(inode);
}

// A directory's two chains of entries, of which the second may be empty.
struct Chains {
    std::span<u8> first;
    std::span<u8> second;
};

Result<Chains> chains_in(Disk& disk, Inode const& directory, std::span<u8> bytes)
{
    Chains const chains { bytes.subspan(parent_bytes, inode_map_bytes - parent_bytes),
        bytes.subspan(inode_map_bytes) };
    TRY(check_entries(disk, directory, chains.first, "inline data"));
    TRY(check_entries(disk, directory, chains.second, "inline data in system.data"));
    return chains;
}

// The last entry of a chain reaches from now on to the end of `bytes`, into which it grew.
void stretch(Superblock const& super, std::span<u8> bytes, usize chain_end)
{
    usize last = 0;
    for (usize offset = 0; offset < chain_end; offset += entry_at(super, bytes, offset).bytes)
        last = offset;
    store16(bytes, last + 4, static_cast<u16>(bytes.size() - last));
}

} // namespace

bool may_become_inline(Superblock const& super, Inode const& inode)
{
    if (!super.has(Incompatible::inline_data) || inode.type() != FileType::regular
        || inode.has(InodeFlag::inline_data) || inode.size_bytes != 0)
        return false;
    if (inode.has(InodeFlag::extents))
        return load16(inode.map, 2) == 0; // entries in the root
    return std::all_of(inode.map.begin(), inode.map.end(), [](u8 each) { return each == 0; });
}

Result<usize> inline_bytes_max(Disk& disk, Inode const& inode)
{
    if (!disk.super().has(Incompatible::inline_data))
        return usize { 0 };
    auto const room = TRY(AttributeStore::load(disk, inode)).inline_room();
    return room ? inode_map_bytes + *room : 0;
}

Result<void> write_inline(Disk& disk, Inode& inode, u64 offset, Bytes source)
{
    auto const end = offset + source.size();
    auto bytes
        = inode.has(InodeFlag::inline_data) ? bytes_in(inode) : std::vector<u8>(inode_map_bytes);
    if (inode.size_bytes < bytes.size())
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(inode.size_bytes), bytes.end(), 0);
    bytes.resize(std::max<usize>(bytes.size(), end));
    std::copy(source.begin(), source.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    inode.size_bytes = std::max(inode.size_bytes, end);
    return keep(disk, inode, bytes);
}

Result<void> resize_inline(Disk& disk, Inode& inode, u64 size)
{
    inode.size_bytes = std::min(inode.size_bytes, size);
    if (size > TRY(inline_bytes_max(disk, inode)))
        return move_file_out(disk, inode);
    auto bytes = bytes_in(inode);
    auto const kept = std::min<u64>(inode.size_bytes, bytes.size());
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end(), u8 { 0 });
    bytes.resize(std::max<usize>(inode_map_bytes, size));
    return keep(disk, inode, bytes);
}

Result<void> move_file_out(Disk& disk, Inode& inode)
{
    auto bytes = bytes_in(inode);
    bytes.resize(std::min<u64>(bytes.size(), inode.size_bytes));
    TRY(let_go(disk, inode));
    if (bytes.empty())
        return {};
    TRY(write_mapped_piece(disk, inode, 0, bytes, Placing::now)); // they were durable
    return {};
}

Result<bool> start_inline_directory(Disk& disk, Inode& directory, u32 parent)
{
    if (TRY(inline_bytes_max(disk, directory)) < inode_map_bytes)
        return false;
    std::vector<u8> bytes(inode_map_bytes);
    store32(bytes, 0, parent);
    DirectoryChain(disk.super(), std::span(bytes).subspan(parent_bytes)).clear();
    directory.size_bytes = inode_map_bytes;
    TRY(keep(disk, directory, bytes));
    return true;
}

Result<bool> add_inline_entry(Disk& disk, Inode& directory, std::string_view name, Found target)
{
    constexpr auto full = DirectoryChain::Added::full;
    auto const& super = disk.super();
    auto bytes = bytes_in(directory);
    auto chains = TRY(chains_in(disk, directory, bytes));
    if (DirectoryChain(super, chains.first).add(name, target) == full) {
        auto const most = TRY(inline_bytes_max(disk, directory));
        auto const before = chains.second.size();
        if (most >= bytes.size() + (before == 0 ? entry_bytes_min : 1)) {
            bytes.resize(most);
            chains.second = std::span(bytes).subspan(inode_map_bytes);
            stretch(super, chains.second, before);
        }
        if (chains.second.empty() || DirectoryChain(super, chains.second).add(name, target) == full)
            return false;
    }
    directory.size_bytes = bytes.size();
    TRY(keep(disk, directory, bytes));
    return true;
}

Result<void> edit_inline_entry(
    Disk& disk, Inode& directory, std::string_view name, EntryEdit const& edit)
{
    auto bytes = bytes_in(directory);
    auto const chains = TRY(chains_in(disk, directory, bytes));
    for (auto const each : { chains.first, chains.second }) {
        DirectoryChain chain(disk.super(), each);
        auto const offset = chain.find(name);
        if (!offset)
            continue;
        edit(chain, *offset);
        return keep(disk, directory, bytes);
    }
    return Error::not_found;
}

Result<void> set_inline_parent(Disk& disk, Inode& directory, u32 parent)
{
    auto bytes = bytes_in(directory);
    store32(bytes, 0, parent);
    return keep(disk, directory, bytes);
}

Result<void> move_directory_out(Disk& disk, Inode& directory)
{
    auto const& super = disk.super();
    auto bytes = bytes_in(directory);
    TRY(chains_in(disk, directory, bytes));
    auto const entries = Bytes(bytes).subspan(parent_bytes);
    TRY(let_go(disk, directory));
    directory.size_bytes = 0;
    auto const made = TRY(append_directory_block(disk, directory));
    auto const block = create_directory_block(disk, directory, made.disk_block);
    DirectoryChain chain(super, block);
    chain.add(".", { directory.number, FileType::directory });
    chain.add("..", { load32(bytes, 0), FileType::directory });
    auto const place = block.first(chain_bytes(super)).subspan(dots_bytes);
    store16(block, dots_bytes / 2 + 4, dots_bytes / 2); // ".." ends where the first of them begins
    std::copy(entries.begin(), entries.end(), place.begin());
    stretch(super, place, entries.size());
    seal_directory_block(super, directory, block);
    return {};
}

} // namespace gemel::ext4
