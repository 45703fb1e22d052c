// One inode as its table has it: attributes, and where its contents are described.
#pragma once

#include "core/base/types.hpp"
#include "servers/ext4/file_type.hpp"

#include <array>
#include <optional>
#include <vector>

namespace gemel::ext4 {

// Since 1970; seconds may be negative.
struct Timestamp {
    i64 seconds;
    u32 nanoseconds;

    bool operator==(Timestamp const&) const = default;
};

struct DeviceNumber {
    u32 major;
    u32 minor;
};

enum class InodeFlag : u32 {
    immutable = 0x10,
    append_only = 0x20,
    encrypted = 0x800,
    indexed = 0x1000, // a directory with a hash tree
    top_directory = 0x2'0000, // its directories are spread (chattr +T)
    huge_file = 0x4'0000,
    extents = 0x8'0000,
    value = 0x20'0000, // it holds the value of an extended attribute
    inline_data = 0x1000'0000,
    inherits_project = 0x2000'0000, // a directory: what is made in it
};

inline constexpr usize inode_map_bytes = 60;
inline constexpr usize project_offset = 0x9C;
inline constexpr u32 root_inode = 2;

struct Inode {
    u32 number;
    u32 generation;
    u16 mode; // type and permissions, as POSIX has them
    u32 user;
    u32 group;
    u32 project; // 0 without the feature
    u32 links; // 1 for a directory means "too many to count" (dir_nlink)
    u64 size_bytes;
    u64 allocated_bytes;
    u64 attribute_block; // of extended attributes; 0: none
    u32 deleted; // seconds since 1970, or the next inode on the orphan list
    Timestamp accessed;
    Timestamp modified;
    Timestamp changed;
    std::optional<Timestamp> created;
    u32 flags;
    u32 checksum_seed; // of the checksums of its own extent nodes and directory blocks
    std::array<u8, inode_map_bytes> map; // extent root, block pointers, fast symlink or inline data
    std::vector<u8> inline_rest; // what inline data does not fit `map`

    bool has(InodeFlag flag) const { return (flags & static_cast<u32>(flag)) != 0; }
    FileType type() const;
    bool is_directory() const { return type() == FileType::directory; }
    // Of a character or block device; zeros else.
    DeviceNumber device() const;

    bool operator==(Inode const&) const = default;
};

} // namespace gemel::ext4
