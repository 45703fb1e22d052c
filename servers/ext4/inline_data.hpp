// Contents kept inside the inode: the first 60 bytes where other files have their block map, the
// rest as the value of the extended attribute system.data (ext4 documentation, "Inline Data").
#pragma once

#include "servers/ext4/inode.hpp"

namespace gemel::ext4 {

// The value of system.data in `attributes`, the inode's bytes after its last field. Empty when
// there is none.
Result<std::vector<u8>> find_inline_rest(Disk& disk, Inode const& inode, Bytes attributes);

// Fills `target` from `offset`; what lies behind the inline bytes reads as zeros. The caller keeps
// the range inside the file's size.
void read_inline(Inode const& inode, u64 offset, std::span<u8> target);

} // namespace gemel::ext4
