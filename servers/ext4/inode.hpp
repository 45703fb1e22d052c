// Inodes in their table.
#pragma once

#include "servers/ext4/disk.hpp"
#include "servers/ext4/inode_record.hpp"

namespace gemel::ext4 {

// What is meant: an inode with a name, also one without that is still open, or the value of an
// extended attribute.
enum class InodeUse : u8 { named, any, value };

struct InodePlace {
    u64 block;
    usize offset;
};
Result<InodePlace> place_of_inode(Disk& disk, u32 number);
// The bytes of an inode in its table, for changes; to be sealed.
Result<std::span<u8>> change_inode_bytes(Disk& disk, u32 number);
// Gives an inode's bytes their checksum.
void seal_inode(Superblock const& super, u32 number, std::span<u8> bytes);
u32 inode_checksum_seed(Superblock const& super, u32 number, u32 generation);

// Reads inode `number`, checksum verified. Error::corrupt for a number outside the volume, for an
// inode that is not in use or has another use, and for damage; the device's errors pass through.
Result<Inode> read_inode(Disk& disk, u32 number, InodeUse use = InodeUse::named);

} // namespace gemel::ext4
