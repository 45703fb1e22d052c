// Writes the journal: gets the running transaction into the log, and the log's blocks into their
// places (ext4 documentation, "Journal (jbd2)").
//
// A commit is two epochs of the device: the log's blocks and all file contents that were written
// before, then the commit block. Blocks reach their own places later, all at once (checkpoint),
// when the log or memory runs short or the volume is unmounted.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/ext4/journal.hpp"

namespace gemel::ext4 {

// Writes all committed blocks to their own places; durable after a flush.
Result<void> write_committed(Disk& disk, BlockDevice& device);

class JournalWriter {
public:
    // The journal of a volume that needs no recovery. Switches on what the kernel would: revoke
    // records, 64bit and checksums as the volume has them. Error::unsupported with a reason in
    // `report`.
    static Result<JournalWriter> open(Disk& disk, BlockDevice& device, MountReport& report);

    // Blocks that a transaction may have: a quarter of the log.
    usize blocks_max() const { return log_blocks() / 4; }

    // Makes the running transaction durable, with all file contents written before.
    Result<void> commit(i64 now_ns);
    // Puts all committed blocks into their places, empties the log and says so on the disk.
    Result<void> checkpoint();
    // Says in the journal that its writer met an error.
    Result<void> record_error();

private:
    using Blocks = std::map<u64, Transaction::Slot>;

    JournalWriter(Journal journal, BlockDevice& device)
        : journal_(std::move(journal))
        , device_(&device)
        , super_(journal_.super())
        , block_bytes_(journal_.disk().super().block_bytes)
        , head_(super_.first)
        , sequence_(super_.sequence)
    {
    }

    u64 log_blocks() const { return super_.end - super_.first; }
    u64 free_blocks() const;
    u64 blocks_needed(Transaction const& transaction) const;
    usize tags_per_descriptor() const;
    usize revokes_per_block() const;
    usize tail_bytes() const;

    Result<void> set_features(Superblock const& volume);
    Result<void> write_superblock(u32 start);
    Result<void> put_superblock();
    void put_head(std::span<u8> block, journal::BlockType type) const;
    void seal_tail(std::span<u8> block) const;
    Result<std::span<u8>> next_block();
    Result<void> append_revokes(Transaction const& transaction);
    Result<void> append_blocks(Blocks const& blocks);
    void fill_descriptor(std::span<u8> descriptor, Blocks::const_iterator next, usize count);
    Bytes as_logged(Bytes content);
    Result<void> append_commit(i64 now_ns);
    void put_tag(std::span<u8> tag, u64 block, u32 flags, Bytes content) const;
    Result<void> write_log();

    Journal journal_;
    BlockDevice* device_;
    JournalSuper super_;
    u32 block_bytes_;
    std::vector<u8> superblock_;
    std::vector<u8> log_; // blocks for the head; never more than it reserved
    std::vector<u8> escaped_; // see as_logged()
    u32 head_;
    u32 tail_ = 0; // 0: the log is empty
    u32 sequence_; // of the next commit
};

} // namespace gemel::ext4
