// Group descriptors and the counters of the superblock, for changes: every number is read from and
// written to the blocks themselves, so that rolling back an operation takes them back too.
#pragma once

#include "servers/ext4/disk.hpp"

#include <functional>

namespace gemel::ext4 {

// A number that a descriptor keeps as two halves of `bits` each; the upper one only when the
// descriptor is wide.
struct GroupField {
    usize low;
    usize high;
    u32 bits;
};

namespace group_field {
inline constexpr GroupField block_bitmap { 0x0, 0x20, 32 };
inline constexpr GroupField inode_bitmap { 0x4, 0x24, 32 };
inline constexpr GroupField inode_table { 0x8, 0x28, 32 };
inline constexpr GroupField free_blocks { 0xC, 0x2C, 16 };
inline constexpr GroupField free_inodes { 0xE, 0x2E, 16 };
inline constexpr GroupField directories { 0x10, 0x30, 16 };
inline constexpr GroupField block_bitmap_sum { 0x18, 0x38, 16 };
inline constexpr GroupField inode_bitmap_sum { 0x1A, 0x3A, 16 };
inline constexpr GroupField unused_inodes { 0x1C, 0x32, 16 };
} // namespace group_field

enum class GroupFlag : u16 { inodes_uninitialised = 1, blocks_uninitialised = 2, zeroed = 4 };

u64 load_field(Bytes descriptor, GroupField field);
void store_field(std::span<u8> descriptor, GroupField field, u64 value);
inline bool has_flag(Bytes descriptor, GroupFlag flag)
{
    return (load16(descriptor, 0x12) & static_cast<u16>(flag)) != 0;
}
inline void clear_flag(std::span<u8> descriptor, GroupFlag flag)
{
    store16(descriptor, 0x12, static_cast<u16>(load16(descriptor, 0x12) & ~static_cast<u32>(flag)));
}

// Whether flags and unused inodes mean something: the volume protects its descriptors.
inline bool has_group_sums(Superblock const& super)
{
    return super.has(ReadOnlyCompatible::metadata_csum) || super.has(ReadOnlyCompatible::uninit_bg);
}

// A copy of the descriptor, checksum verified.
Result<std::vector<u8>> load_group(Disk& disk, u32 group);
// Calls edit(span of the descriptor) and gives it its new checksum.
Result<void> edit_group(Disk& disk, u32 group, std::function<void(std::span<u8>)> const& edit);

// Blocks that the group has (the last one may be short).
u32 blocks_in_group(Superblock const& super, u32 group);

// One of the group's bitmaps, verified; made up when it was never written.
enum class BitmapKind : u8 { blocks, inodes };
Result<BlockRef> load_bitmap(Disk& disk, u32 group, BitmapKind kind);
// The same as of the last commit: what is used there must not be given out again yet.
Result<BlockRef> load_committed_bitmap(Disk& disk, u32 group, BitmapKind kind);
// Calls edit(bitmap, descriptor); both get their checksums. A bitmap that was never written is from
// now on.
using BitmapEdit = std::function<Result<void>(std::span<u8> bitmap, std::span<u8> descriptor)>;
Result<void> edit_bitmap(Disk& disk, u32 group, BitmapKind kind, BitmapEdit const& edit);

// The superblock in its block: calls edit(span of 1024 bytes) and seals it.
Result<void> edit_superblock(Disk& disk, std::function<void(std::span<u8>)> const& edit);
// Before a commit: its checksum, once for all the operations that counted in it.
void seal_changed_superblock(Disk& disk);
Result<std::vector<u8>> superblock_now(Disk& disk);
struct FreeCounts {
    u64 blocks;
    u32 inodes;
};
Result<FreeCounts> free_counts(Disk& disk);
Result<void> add_free_blocks(Disk& disk, i64 change);
Result<void> add_free_inodes(Disk& disk, i64 change);

} // namespace gemel::ext4
