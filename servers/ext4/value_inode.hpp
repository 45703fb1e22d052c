// Values of extended attributes that have an inode of their own, with the feature ea_inode (ext4
// documentation, "Extended Attributes"). Such an inode has no name; it counts its references, each
// an entry of an inode or of an attribute block.
#pragma once

#include "servers/ext4/attribute_store.hpp"

namespace gemel::ext4 {

// A value is at most this long (XATTR_SIZE_MAX of Linux).
inline constexpr u32 value_bytes_max = 64 * 1024;

// Inside an operation: a new inode near its owner holds `attribute.value`; the entry that names it
// comes back, the one reference there is. Every inode that has the value counts its blocks as its
// own, too; who calls writes it. Error::no_space.
Result<Attribute> move_value_out(Disk& disk, Inode& owner, Attribute const& attribute);

// The value, wherever it is. Error::corrupt unless the inode named holds it whole and with its
// hash.
Result<std::vector<u8>> value_of(Disk& disk, Inode const& owner, Attribute const& attribute);

// Inside an operation: one reference more or less. Without one the inode is freed, with its blocks.
Result<void> add_reference(Disk& disk, Inode const& owner, Attribute const& attribute);
Result<void> drop_reference(Disk& disk, Inode& owner, Attribute const& attribute);
// The reference stays, with a block that other inodes have.
Result<void> leave_value(Disk& disk, Inode& owner, Attribute const& attribute);

// The hash of an entry: over its name, then over words of four bytes.
u32 hash_of_entry(std::string_view name, Bytes words);

} // namespace gemel::ext4
