// Extended attributes as programs name them ("user.x"), and what lists of access rights among them
// mean for a file.
#pragma once

#include "servers/ext4/attribute_store.hpp"

namespace gemel::ext4 {

// Error::unsupported for a name space that is not kept; Error::invalid for one without a rest.
Result<AttributeName> parse_attribute_name(std::string_view name);

// Error::no_attribute.
Result<std::vector<u8>> get_extended(Disk& disk, Inode const& inode, std::string_view name);
// Each with a NUL behind it.
Result<std::string> list_extended(Disk& disk, Inode const& inode);

enum class AttributeMode : u8 { set, create, replace };

// Inside an operation; the inode, whose time of change is now, changes with it, who calls writes
// it. Error::exists and Error::no_attribute as the mode says; Error::no_rights for what the kind of
// file cannot have; Error::too_big over 64 KiB, Error::no_space when neither inode nor block has
// the room, nor, with ea_inode, the volume.
Result<void> set_extended(
    Disk& disk, Inode& inode, std::string_view name, Bytes value, AttributeMode mode);
Result<void> remove_extended(Disk& disk, Inode& inode, std::string_view name);

// Inside an operation, before an inode is freed: lets go of some of its values that are inodes.
Result<Progress> let_go_of_values(Disk& disk, Inode& inode);

// A new file gets what its directory has as default, and its permissions are restricted by it.
Result<void> inherit_access_list(Disk& disk, Inode const& directory, Inode& inode);
// The list follows the permissions of the inode that were changed.
Result<void> follow_permissions(Disk& disk, Inode& inode);

} // namespace gemel::ext4
