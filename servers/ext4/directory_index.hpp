// Finding a name through a directory's hash tree.
#pragma once

#include "servers/ext4/directory.hpp"

namespace gemel::ext4 {

// See find_name; `directory` is indexed, the name neither "." nor "..".
Result<Found> find_by_hash(Disk& disk, Inode const& directory, std::string_view name);

} // namespace gemel::ext4
