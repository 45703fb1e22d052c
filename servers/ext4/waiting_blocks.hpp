// Blocks that were written and have no place on the disk yet (delayed allocation): their bytes, and
// what they will take of the free space. They get their places before the next commit at the
// latest, or are cut, punched or removed before and never have any.
//
// All of it is in memory. Changes belong to the operation of the transaction and are kept or rolled
// back with it, but for bytes that are written over.
#pragma once

#include "core/base/types.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace gemel::ext4 {

class WaitingBlocks {
public:
    static constexpr usize run_bytes_max = 64 * 1024; // that lie beside each other in memory

    explicit WaitingBlocks(u32 block_bytes)
        : block_bytes_(block_bytes)
    {
    }

    // How many bytes may wait; at first none.
    void allow(usize bytes_max) { blocks_max_ = bytes_max / block_bytes_; }
    // How many blocks more may wait now.
    u64 room() const { return blocks_max_ - std::min(blocks_max_, blocks_); }
    bool any() const { return blocks_ > 0; }
    bool has(u32 inode) const { return blocks_of(inode) > 0; }
    u64 blocks() const { return blocks_; }
    u64 blocks_of(u32 inode) const;
    // The lowest inode that has some.
    std::optional<u32> first_inode() const;

    // What of the free blocks is promised: one for each that waits, and what the maps of their
    // files may need at worst; without the file that gets its places just now.
    u64 promised() const;
    // By how much that may grow when `count` blocks from `first` on wait, too.
    u64 growth(u32 inode, u64 first, u64 count) const;
    // The file that gets its places just now; 0: none.
    void set_placing(u32 inode) { placing_ = inode; }

    // The stretch of a file from a block on, of at least one.
    struct Stretch {
        bool waits;
        u64 blocks;
    };
    Stretch at(u32 inode, u64 block) const;
    // The first blocks of the file that wait, as far as they follow each other; 0 blocks: none.
    struct Range {
        u64 first = 0;
        u64 blocks = 0;
    };
    Range first_of(u32 inode) const;
    // The bytes of a block that waits, and of those that follow it in memory. Valid until the next
    // change.
    std::span<u8 const> bytes_at(u32 inode, u64 block) const;

    // Inside blocks that wait.
    void read(u32 inode, u64 offset, std::span<u8> target) const;
    void overwrite(u32 inode, u64 offset, std::span<u8 const> source);

    // Inside an operation, whose end the inode's next note_inode must precede.
    // `count` blocks from `first` on wait that did not: `part` from `skipped` bytes on, around it
    // zeros. `size` is the file's before.
    void add(u32 inode, u64 size, Range range, u64 skipped, std::span<u8 const> part);
    // Those in [first, end) wait no more.
    void drop(u32 inode, u64 first, u64 end);
    // To be told of each inode that is written. Gives the size that the disk may know: it does not
    // reach over the first block that waits, unless the disk knew so before the block did.
    u64 note_inode(u32 inode, u64 size);
    // The size as readers are told it; nothing: as the disk has it.
    std::optional<u64> size_of(u32 inode) const;

    void begin() { undo_.clear(); }
    // Whether the operation has made blocks wait or given some up.
    bool operation_changes() const { return !undo_.empty(); }
    void keep();
    // Needs no memory.
    void roll_back();

private:
    using Runs = std::map<u64, std::vector<u8>>; // by their first block

    struct File {
        Runs runs {};
        u64 blocks = 0;
        u64 stretches = 0; // of blocks that follow each other
        u64 size = 0; // as readers see it
        u64 disk_size = 0; // that the disk knows, or may
        bool noted = true; // since the last change
    };
    // What takes one step back.
    struct Undo {
        u32 inode;
        u64 size = 0;
        u64 disk_size = 0;
        Range added {};
        Runs::node_type dropped {};
    };

    u64 blocks_in(std::span<u8 const> bytes) const { return bytes.size() / block_bytes_; }
    u64 end_of(Runs::value_type const& run) const { return run.first + blocks_in(run.second); }
    // The run that holds the block, or the next one.
    Runs::const_iterator find(File const& file, u64 block) const;
    Undo& remember(u32 inode, File const& file);
    // How many blocks the file's map may need at most for what waits.
    u64 map_blocks(u64 blocks, u64 stretches) const;
    u64 promised_for(File const& file) const
    {
        return file.blocks + map_blocks(file.blocks, file.stretches);
    }
    // What the sums know of a file: taken out before it changes, put in after it.
    void count_out(File const& file);
    void count_in(File const& file);
    // 1 for each side where the blocks [first, end) touch others that wait.
    u64 neighbours(File const& file, u64 first, u64 end) const;
    Runs::iterator run_for(File& file, u64 block, u64 bytes);
    void split(File& file, u64 block);
    void take_back(Undo& undo);

    u32 block_bytes_;
    u64 blocks_max_ = 0;
    u64 blocks_ = 0;
    u64 promised_ = 0;
    u32 placing_ = 0;
    std::map<u32, File> files_;
    std::vector<Undo> undo_;
};

} // namespace gemel::ext4
