// Inodes as they were read and verified: bounded, a later one takes the place of an earlier one.
// Whoever changes the bytes of an inode forgets it first, and nothing is put inside an operation.
#pragma once

#include "servers/ext4/inode_record.hpp"

#include <array>
#include <memory>

namespace gemel::ext4 {

class InodeCache {
public:
    static constexpr usize entries_max = 1024;

    // Null: not known. Valid until the next put or forget.
    Inode const* find(u32 number) const;
    // `block` is the one that it was read from.
    void put(Inode const& inode, u64 block);
    void forget(u32 number);
    // All that were read from the block.
    void forget_block(u64 block);

private:
    struct Entry {
        Inode inode {}; // number 0: the place is free
        u64 block = 0;
    };
    // Of numbers that follow each other, as those in use do.
    static constexpr usize piece_entries = 16;
    using Piece = std::array<Entry, piece_entries>;

    // Null: nothing was put there yet.
    Entry* entry_of(u32 number) const;
    // How many entries are of blocks that this one cannot be told from.
    u16& count_for(u64 block) { return counts_[block % counts_.size()]; }
    void free(Entry& entry);

    std::array<std::unique_ptr<Piece>, entries_max / piece_entries> pieces_ {};
    std::array<u16, 4 * entries_max> counts_ {};
};

} // namespace gemel::ext4
