// The journal of a volume: its superblock, checked, and where its blocks lie.
#pragma once

#include "servers/ext4/block_map.hpp"
#include "servers/ext4/journal_format.hpp"
#include "servers/ext4/mount_report.hpp"

#include <vector>

namespace gemel::ext4 {

enum class JournalChecksum : u8 { none, v1, v2, v3 };

struct JournalSuper {
    u32 version; // 1 or 2
    u32 blocks;
    u32 first; // of the log
    u32 end; // the log wraps here, to `first`
    u32 sequence; // of the first transaction to replay
    u32 start; // where it begins; 0: nothing to replay
    u32 error; // what stopped the last writer; 0: nothing
    u32 fast_commit_first; // 0: no such area
    JournalChecksum checksum;
    bool wide; // 64-bit block numbers
    bool async_commit; // a commit block may get to the disk before what it commits
    u32 checksum_seed; // of v2 and v3

    usize tag_bytes() const;
    bool has_tails() const
    {
        return checksum == JournalChecksum::v2 || checksum == JournalChecksum::v3;
    }
    u32 log_blocks() const { return end - first; }
    // The block of the log after `block`.
    u32 after(u32 block) const { return block + 1 == end ? first : block + 1; }
};

class Journal {
public:
    // Finds and checks the journal of the volume behind `disk`, which it borrows. Refusals are
    // explained in `report`: Error::unsupported for an external journal and unknown features,
    // Error::corrupt for damage; the device's errors pass through. Error::not_found: the volume has
    // no journal.
    static Result<Journal> open(Disk& disk, MountReport& report);

    JournalSuper const& super() const { return super_; }
    Disk& disk() const { return *disk_; }
    u32 inode() const { return inode_; }

    // The device block of a journal block (below super().blocks).
    u64 place(u32 block) const;
    // Fills `target`, one block, from a journal block.
    Result<void> read(u32 block, std::span<u8> target) const;
    // Whether the block of the volume belongs to the journal.
    bool owns(u64 block) const;

private:
    struct Piece {
        u32 first; // of the journal
        u32 blocks;
        u64 disk_block;
    };

    Journal(Disk& disk, u32 inode)
        : disk_(&disk)
        , inode_(inode)
    {
    }
    Result<void> map(Inode const& inode, MountReport& report);
    Result<void> read_super(u32 blocks, MountReport& report);

    Disk* disk_;
    u32 inode_;
    JournalSuper super_ {};
    std::vector<Piece> pieces_; // in order of `first`
    std::vector<Piece> pieces_on_disk_; // in order of `disk_block`
};

// The superblock's own checksum, its field taken as zero.
u32 journal_super_checksum(Bytes bytes);

} // namespace gemel::ext4
