// A bounded cache of metadata blocks: set-associative, the least recently used way gives way.
#pragma once

#include "core/base/types.hpp"

#include <array>
#include <memory>
#include <vector>

namespace gemel::ext4 {

// One block's bytes. A holder keeps them alive, also after the cache has let go of them.
using BlockRef = std::shared_ptr<std::vector<u8> const>;

class BlockCache {
public:
    // At most `bytes_max` of blocks (at least one set of them).
    BlockCache(u32 block_bytes, usize bytes_max);

    struct Slot {
        u64 block = 0;
        u64 last_use = 0;
        u64 verified_as = 0; // what the bytes were found to be; see Disk::metadata
        BlockRef bytes; // null: the slot is free
    };

    // The slot that holds the block, or null. Valid until the next insert.
    Slot* find(u64 block);
    // Takes the place of the set's least recently used block. The block must not be cached yet.
    Slot& insert(u64 block, BlockRef bytes);
    // Forgets the block, if it is there.
    void erase(u64 block);

private:
    static constexpr usize ways = 8;
    using Set = std::array<Slot, ways>;

    std::unique_ptr<Set>& set_of(u64 block) { return sets_[block % sets_.size()]; }

    u64 uses_ = 0;
    std::vector<std::unique_ptr<Set>> sets_; // null until a block of theirs is inserted
};

} // namespace gemel::ext4
