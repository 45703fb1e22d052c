// A FileAttributes as a request carries it, and what the volume makes of it.
#pragma once

#include "servers/ext4/served_volume.hpp"
#include "servers/protocols/file_attributes.hpp"

namespace gemel::ext4 {

// Copies it out of shared memory; another length -> invalid.
Result<FileAttributes> attributes_in(std::span<std::byte const> bytes);

// Error::read_only on a volume that is.
Result<void> set_attributes(Volume const& volume, u32 inode, FileAttributes const& attributes);

// An extended attribute's name. Error::invalid.
Result<std::string> attribute_name_in(std::span<std::byte const> bytes);
// The protocol's word for the volume's; another number -> invalid.
Result<AttributeMode> mode_of(ExtendedMode mode);
// Error::too_big: `target` is too small. How many bytes there are.
Result<u32> put_bytes(std::span<std::byte> target, std::span<std::byte const> bytes);
// A copy: the other side may change what is shared at any time.
std::vector<u8> copy_of(std::span<std::byte const> shared);

} // namespace gemel::ext4
