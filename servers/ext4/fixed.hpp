// What chattr has marked +i (immutable) or +a (append-only).
#pragma once

#include "servers/ext4/inode_record.hpp"

namespace gemel::ext4 {

// Neither its names nor its attributes change.
inline bool is_fixed(Inode const& inode)
{
    return inode.has(InodeFlag::immutable) || inode.has(InodeFlag::append_only);
}

} // namespace gemel::ext4
