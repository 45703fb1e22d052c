// Extended attributes (ext4 documentation, "Extended Attributes").
#pragma once

#include "servers/ext4/inode.hpp"

namespace gemel::ext4 {

// Lets go of the block of attributes that the inode may share with others. Writes the block, not
// the inode.
Result<void> release_attribute_block(Disk& disk, Inode& inode);

} // namespace gemel::ext4
