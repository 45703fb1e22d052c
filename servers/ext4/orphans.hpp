// Inodes without a name that still have blocks, and those that are being cut: a mount after a power
// cut goes on with them (ext4 documentation, "Orphan file" and "Super Block": s_last_orphan).
//
// The orphan file is used where the volume has one, the list when it is full. The superblock's
// orphan_present says whether anything is in the file, exactly, as e2fsck wants it.
#pragma once

#include "servers/ext4/inode.hpp"

namespace gemel::ext4 {

class Orphans {
public:
    // Finds the orphan file and checks its blocks. Error::corrupt when it is damaged.
    static Result<Orphans> open(Disk& disk);

    // Inside an operation; both write the inode.
    Result<void> add(Inode& inode);
    Result<void> remove(Inode& inode);

    // One of them, or 0 when there is none; outside of operations.
    Result<u32> any();

    // Takes back a claim that something is in the file, which e2fsck would call wrong; inside an
    // operation, when `any` found nothing.
    Result<void> say_empty();

private:
    explicit Orphans(Disk& disk)
        : disk_(&disk)
    {
    }

    Result<void> find_file();
    Result<BlockRef> load(usize index);
    Result<void> put(usize index, usize offset, u32 number);
    Result<bool> add_to_file(u32 number);
    Result<bool> remove_from_file(u32 number);
    Result<void> remove_from_list(Inode& inode);

    Disk* disk_;
    u32 checksum_seed_ = 0;
    std::vector<u64> blocks_; // of the file; none without one
    // Blocks behind these hold nothing. Grows with what is added, rolled back or not.
    usize used_blocks_ = 0;
};

} // namespace gemel::ext4
