// The superblock, parsed and checked: what every other structure is measured against.
#pragma once

#include "core/base/result.hpp"
#include "servers/ext4/bytes.hpp"
#include "servers/ext4/feature.hpp"
#include "servers/ext4/mount_report.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace gemel::ext4 {

inline constexpr u64 superblock_offset = 1024;
inline constexpr usize superblock_bytes = 1024;

// How the directory hash treats bytes above 127; it follows the machine that made the volume.
enum class CharSign : u8 { is_signed, is_unsigned };

struct Superblock {
    u64 blocks;
    u64 free_blocks;
    u64 reserved_blocks;
    u64 overhead_blocks; // what files never have; 0: not stated
    u32 inodes;
    u32 free_inodes;
    u32 first_data_block;
    u32 block_bytes;
    u32 blocks_per_group;
    u32 inodes_per_group;
    u32 inode_bytes;
    u32 descriptor_bytes;
    u32 groups;
    u32 groups_per_flex; // whose tables lie together; 1 without flex_bg, at most `groups`
    u32 reserved_table_blocks; // behind the descriptors, for growing
    u32 first_meta_group; // in descriptor blocks, with meta_bg
    u32 compatible;
    u32 incompatible;
    u32 read_only_compatible;
    i64 written_seconds; // when it was last written, since 1970
    u32 journal_inode; // 0: external, or none
    u32 first_inode; // those before it are the volume's own
    u32 orphan_inode; // the orphan file, with orphan_file
    bool has_orphans; // deleted or cut files wait to be worked off
    u64 mmp_block;
    u32 mmp_interval; // seconds between two of its writer's signs of life; 0: the default
    u32 checksum_seed; // of every metadata checksum but the superblock's own
    CharSign hash_sign;
    u8 hash_version; // of directories that get a hash tree
    std::array<u32, 4> hash_seed;
    std::array<u32, 2> backup_groups; // with sparse_super2
    std::array<u8, 16> uuid;
    std::string label;

    bool has(Compatible feature) const { return (compatible & static_cast<u32>(feature)) != 0; }
    bool has(Incompatible feature) const { return (incompatible & static_cast<u32>(feature)) != 0; }
    bool has(ReadOnlyCompatible feature) const
    {
        return (read_only_compatible & static_cast<u32>(feature)) != 0;
    }

    // "ext2", "ext3" or "ext4", by the features in use.
    std::string_view kind() const;
    // Whether the group keeps a copy of superblock and descriptors.
    bool has_backup(u32 group) const;
    // Free blocks that contents of files do not get. What is in a file already can be changed with
    // them: a map that has to be split needs a block. As many as Linux keeps, at least.
    u64 kept_blocks() const { return std::max(reserved_blocks, std::min<u64>(blocks / 50, 4096)); }
    u64 first_block_of_group(u32 group) const
    {
        return first_data_block + static_cast<u64>(group) * blocks_per_group;
    }
    bool holds_block(u64 block) const { return block >= first_data_block && block < blocks; }
    bool holds_inode(u32 number) const { return number >= 1 && number <= inodes; }
};

// Whether the bytes at superblock_offset claim to be one at all.
bool has_superblock_magic(Bytes bytes);

// Whether a superblock's checksum must fit: not when the journal may hold the better copy.
enum class SuperblockSum : u8 { enforced, ignored };

// Parses `bytes` (superblock_bytes of them, with the magic) of a device of `device_bytes`.
// Error::corrupt: it contradicts itself, its checksum or the device. Error::unsupported: a sound
// volume that this reader refuses. Either way `report.refusal` says why.
Result<Superblock> parse_superblock(Bytes bytes, u64 device_bytes, MountReport& report,
    SuperblockSum sum = SuperblockSum::enforced);

} // namespace gemel::ext4
