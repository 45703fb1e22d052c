// What may be given out of one group: its bitmaps in one, and the search for runs in it.
#pragma once

#include "servers/ext4/bytes.hpp"

#include <vector>

namespace gemel::ext4 {

class FreeMap {
public:
    struct Run {
        u32 start = 0;
        u32 count = 0;

        u32 end() const { return start + count; }
    };

    // `blocks` bits of it count; a set bit is a used block.
    FreeMap(Bytes bitmap, u32 blocks);
    // What is used in another bitmap of the group is not free either.
    void add_used(Bytes bitmap);
    void add_used(Run run);

    u32 blocks() const { return blocks_; }
    bool is_free(u32 block) const { return (words_[block / 64] >> block % 64 & 1) == 0; }
    // The first free block from `from` on; blocks() when there is none.
    u32 find(u32 from) const;
    // Free blocks from `from` on, at most `count_max`.
    u32 length(u32 from, u64 count_max) const;
    // The run at `from`, at most `wanted` blocks of it; or the first one of `wanted` blocks behind
    // it, then before it; or the longest there is. Count 0: none.
    Run choose(u32 from, u64 wanted) const;
    // The first free buddy of 2^order blocks, whose place is a multiple of them, from `from` on,
    // then before it. Count 0: none.
    Run buddy(u32 from, u32 order) const;

private:
    // The first used block in [from, to), or `to`.
    u32 find_used(u32 from, u32 to) const;

    u32 blocks_;
    std::vector<u64> words_; // bits behind the last block are set
};

} // namespace gemel::ext4
