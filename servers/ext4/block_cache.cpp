#include "servers/ext4/block_cache.hpp"

#include "core/base/assert.hpp"

#include <algorithm>

namespace gemel::ext4 {

BlockCache::BlockCache(u32 block_bytes, usize bytes_max)
    : sets_(std::max<usize>(1, bytes_max / block_bytes / ways))
{
}

BlockCache::Slot* BlockCache::find(u64 block)
{
    auto const& set = set_of(block);
    if (!set)
        return nullptr;
    auto* const slot = std::find_if(set->begin(), set->end(),
        [&](Slot const& each) { return each.block == block && each.bytes; });
    if (slot == set->end())
        return nullptr;
    slot->last_use = ++uses_;
    return slot;
}

BlockCache::Slot& BlockCache::insert(u64 block, BlockRef bytes)
{
    ASSERT(bytes && !find(block));
    auto& set = set_of(block);
    if (!set)
        set = std::make_unique<Set>();
    auto* const slot = std::min_element(set->begin(), set->end(),
        [](Slot const& left, Slot const& right) { return left.last_use < right.last_use; });
    *slot = Slot { block, ++uses_, 0, std::move(bytes) };
    return *slot;
}

void BlockCache::erase(u64 block)
{
    if (auto* const slot = find(block))
        *slot = Slot {};
}

} // namespace gemel::ext4
