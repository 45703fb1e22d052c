// The metadata that changed: in memory until the journal has it (the running transaction), then
// until its own place has it (committed). Readers see it first.
//
// A change is part of an operation, which is kept or rolled back as a whole: each block is copied
// when an operation first touches it, so rolling back puts the old copies in their places again.
#pragma once

#include "servers/ext4/block_cache.hpp"

#include <map>
#include <optional>
#include <set>

namespace gemel::ext4 {

class Transaction {
public:
    struct Slot {
        std::shared_ptr<std::vector<u8>> bytes;
        u64 verified_as = 0;
        u64 operation = 0; // that made this copy
        BlockRef base; // of a bitmap: as of the last commit, kept by who changes it
    };

    // What readers see, or null when it is the device's.
    Slot* find(u64 block);
    Slot* find_running(u64 block);

    // Operations do not nest.
    void begin();
    void keep();
    void roll_back();
    bool in_operation() const { return operating_; }
    // Whether the operation has changed a block so far.
    bool operation_changes() const { return !undo_.empty(); }
    // What the operation changes is the times of an inode.
    void note_only_times() { only_times_ = true; }
    // Whether the running transaction has more than times of inodes.
    bool beyond_times() const { return beyond_times_; }

    // The operation's own copy of a block whose content is `now`.
    Slot& change(u64 block, BlockRef const& now, u64 verified_as);
    // A block that becomes metadata: zeros, whatever it held.
    Slot& create(u64 block, usize bytes, u64 verified_as);
    // A block that is metadata no more: a replay must not bring it back.
    void forget(u64 block);
    void note_freed_blocks(u64 blocks) { freed_blocks_ += blocks; }
    // How many blocks were freed, or more, that only the commit makes usable.
    u64 freed_blocks() const { return freed_blocks_; }

    bool empty() const { return running_.empty() && revoked_.empty(); }
    usize blocks() const { return running_.size() + revoked_.size() / 64; }
    std::map<u64, Slot> const& running() const { return running_; }
    std::set<u64> const& revoked() const { return revoked_; }
    std::map<u64, Slot> const& committed() const { return committed_; }

    // The journal has the running transaction.
    void committed_running();
    // The committed blocks are in their places.
    void clear_committed() { committed_.clear(); }

private:
    // What takes one step back. What a step erased is kept as the map's own node, so that putting
    // it back needs no memory.
    struct Undo {
        u64 block;
        std::optional<Slot> slot {};
        std::map<u64, Slot>::node_type forgotten {};
        std::set<u64>::node_type revocation {};
        bool was_revoked = false;
    };
    Undo& remember(u64 block);

    std::map<u64, Slot> running_;
    std::set<u64> revoked_;
    std::map<u64, Slot> committed_;
    std::vector<Undo> undo_;
    u64 operation_ = 0;
    bool operating_ = false;
    bool only_times_ = false; // the operation
    bool beyond_times_ = false;
    u64 freed_blocks_ = 0;
    u64 freed_before_ = 0; // the operation
};

} // namespace gemel::ext4
