// The journal's on-disk words and numbers, for who reads it and who writes it (ext4 documentation,
// "Journal (jbd2)"). All of it is big-endian, unlike the rest of the volume.
#pragma once

#include "servers/ext4/bytes.hpp"

namespace gemel::ext4::journal {

inline u16 load_be16(Bytes bytes, usize offset)
{
    return static_cast<u16>(load8(bytes, offset) << 8 | load8(bytes, offset + 1));
}

inline u32 load_be32(Bytes bytes, usize offset)
{
    return static_cast<u32>(load_be16(bytes, offset)) << 16 | load_be16(bytes, offset + 2);
}

inline u64 load_be64(Bytes bytes, usize offset)
{
    return join(load_be32(bytes, offset + 4), load_be32(bytes, offset));
}

inline void store_be32(std::span<u8> bytes, usize offset, u32 value)
{
    ASSERT(bytes.size() >= 4 && offset <= bytes.size() - 4);
    for (usize each = 0; each < 4; ++each)
        bytes[offset + each] = static_cast<u8>(value >> (24 - 8 * each));
}

inline constexpr u32 magic = 0xC03B'3998;

// The head of every block of the log that is not a copy of a block of the volume.
enum class BlockType : u32 {
    descriptor = 1,
    commit = 2,
    superblock_v1 = 3, // no features
    superblock_v2 = 4,
    revoke = 5,
};

namespace head { // magic, type, sequence
inline constexpr usize type = 0x4;
inline constexpr usize sequence = 0x8;
inline constexpr usize bytes = 12;
} // namespace head

// In the journal's first block. It is 1024 bytes long, in larger blocks too; all that changes lies
// in its first 512.
namespace super {
inline constexpr usize block_bytes = 0xC;
inline constexpr usize blocks = 0x10;
inline constexpr usize first = 0x14; // first block of the log
inline constexpr usize sequence = 0x18; // of the transaction at `start`
inline constexpr usize start = 0x1C; // 0: nothing to replay
inline constexpr usize error = 0x20;
inline constexpr usize compatible = 0x24;
inline constexpr usize incompatible = 0x28;
inline constexpr usize read_only_compatible = 0x2C;
inline constexpr usize uuid = 0x30; // seeds the checksums of versions 2 and 3
inline constexpr usize users = 0x40;
inline constexpr usize checksum_type = 0x50;
inline constexpr usize fast_commit_blocks = 0x54;
inline constexpr usize checksum = 0xFC;
inline constexpr usize bytes = 1024;
} // namespace super

inline constexpr u32 compatible_checksum_v1 = 0x1;
inline constexpr u32 incompatible_revoke = 0x1;
inline constexpr u32 incompatible_wide = 0x2; // "64bit"
inline constexpr u32 incompatible_async_commit = 0x4;
inline constexpr u32 incompatible_checksum_v2 = 0x8;
inline constexpr u32 incompatible_checksum_v3 = 0x10;
inline constexpr u32 incompatible_fast_commit = 0x20;
inline constexpr u8 checksum_type_crc32 = 1; // of version 1, in the commit block
inline constexpr u8 checksum_type_crc32c = 4; // of versions 2 and 3, in the superblock

// One tag of a descriptor block for each block that follows it in the log. With checksum v3 it has
// 16 bytes; else 8, two more with v2 (unused), four more with 64bit.
namespace tag {
inline constexpr usize block = 0x0;
inline constexpr usize checksum_v2 = 0x4; // the lower half
inline constexpr usize flags = 0x6; // of all but v3
inline constexpr usize flags_v3 = 0x4;
inline constexpr usize block_high = 0x8;
inline constexpr usize checksum_v3 = 0xC;
inline constexpr usize uuid_bytes = 16; // behind a tag without same_uuid
inline constexpr u32 escaped = 0x1; // the block began with `magic`, which is zero in the log
inline constexpr u32 same_uuid = 0x2;
inline constexpr u32 last = 0x8;
} // namespace tag

// Descriptor and revoke blocks end in a checksum of themselves with versions 2 and 3.
inline constexpr usize tail_bytes = 4;

namespace revoke {
inline constexpr usize used_bytes = 0xC; // head and this word included
inline constexpr usize first_record = 0x10;
} // namespace revoke

namespace commit {
inline constexpr usize checksum_type = 0xC;
inline constexpr usize checksum_bytes = 0xD;
inline constexpr usize checksum = 0x10;
inline constexpr usize seconds = 0x30;
inline constexpr usize nanoseconds = 0x38;
} // namespace commit

// Sequence numbers wrap around.
constexpr bool not_before(u32 left, u32 right)
{
    return static_cast<i32>(left - right) >= 0;
}

} // namespace gemel::ext4::journal
