// A FileAttributes as a request carries it, and what the volume makes of it.
#pragma once

#include "servers/ext4/served_volume.hpp"
#include "servers/protocols/file_attributes.hpp"

namespace gemel::ext4 {

// Copies it out of shared memory; another length -> invalid.
Result<FileAttributes> attributes_in(std::span<std::byte const> bytes);

// Error::read_only on a volume that is.
Result<void> set_attributes(Volume const& volume, u32 inode, FileAttributes const& attributes);

} // namespace gemel::ext4
