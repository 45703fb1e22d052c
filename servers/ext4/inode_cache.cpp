#include "servers/ext4/inode_cache.hpp"

namespace gemel::ext4 {

Inode const* InodeCache::find(u32 number) const
{
    if (number == 0 || entries_.empty())
        return nullptr;
    auto const& entry = entries_[place_of(number)];
    return entry.inode.number == number ? &entry.inode : nullptr;
}

void InodeCache::put(Inode const& inode, u64 block)
{
    if (entries_.empty())
        entries_.resize(entries_max);
    auto& entry = entries_[place_of(inode.number)];
    free(entry);
    entry.inode = inode;
    entry.block = block;
    ++count_for(block);
}

void InodeCache::forget(u32 number)
{
    if (find(number))
        free(entries_[place_of(number)]);
}

void InodeCache::forget_block(u64 block)
{
    if (count_for(block) == 0)
        return;
    for (auto& entry : entries_) {
        if (entry.block == block)
            free(entry);
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
