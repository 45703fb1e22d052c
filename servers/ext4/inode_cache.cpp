#include "servers/ext4/inode_cache.hpp"

namespace gemel::ext4 {

InodeCache::Entry* InodeCache::entry_of(u32 number) const
{
    auto const place = number % entries_max;
    auto const& piece = pieces_[place / piece_entries];
    return piece ? &(*piece)[place % piece_entries] : nullptr;
}

Inode const* InodeCache::find(u32 number) const
{
    auto const* const entry = entry_of(number);
    return entry && number != 0 && entry->inode.number == number ? &entry->inode : nullptr;
}

void InodeCache::put(Inode const& inode, u64 block)
{
    auto& piece = pieces_[inode.number % entries_max / piece_entries];
    if (!piece)
        piece = std::make_unique<Piece>();
    auto& entry = *entry_of(inode.number);
    free(entry);
    entry.inode = inode;
    entry.block = block;
    ++count_for(block);
}

void InodeCache::forget(u32 number)
{
    if (find(number))
        free(*entry_of(number));
}

void InodeCache::forget_block(u64 block)
{
    if (count_for(block) == 0)
        return;
    for (auto const& piece : pieces_) {
        if (!piece)
            continue;
        for (auto& entry : *piece) {
            if (entry.block == block)
                free(entry);
        }
    }
}

void InodeCache::free(Entry& entry)
{
    if (entry.inode.number == 0)
        return;
    --count_for(entry.block);
    entry.inode.number = 0;
}

} // namespace gemel::ext4
