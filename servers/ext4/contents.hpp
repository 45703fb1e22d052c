// The bytes of a file, wherever and however they are kept.
#pragma once

#include "servers/ext4/inode.hpp"

#include <string>

namespace gemel::ext4 {

// Fills `target` from byte `offset` of the file; fewer bytes than asked for mean its end. Holes and
// unwritten extents read as zeros. Each stretch that is consecutive on the device is one device
// read straight into `target`. Up to `ahead` bytes behind it are likely asked for next.
Result<usize> read_contents(
    Disk& disk, Inode const& inode, u64 offset, std::span<u8> target, u64 ahead = 0);

// The target of a symbolic link, of 1 to 4096 bytes. Error::invalid for anything else.
Result<std::string> read_link_target(Disk& disk, Inode const& inode);

} // namespace gemel::ext4
