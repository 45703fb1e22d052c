// Changes of a directory's entries. The directory's Inode (map, size, flags) changes with them: who
// calls writes it back.
#pragma once

#include "servers/ext4/directory.hpp"

namespace gemel::ext4 {

// The name must not be there. A directory whose single block is full gets a hash tree, if the
// volume has dir_index. Error::no_space also when the hash tree can grow no more.
Result<void> add_entry(Disk& disk, Inode& directory, std::string_view name, Found target);

// Error::not_found.
Result<void> remove_entry(Disk& disk, Inode& directory, std::string_view name);

// Lets a name (".." too) mean another inode. Error::not_found.
Result<void> replace_entry(Disk& disk, Inode& directory, std::string_view name, Found target);

// The first block of a new directory: "." and "..".
Result<void> start_directory(Disk& disk, Inode& directory, u32 parent);

// Whether it holds only "." and "..".
Result<bool> is_empty_directory(Disk& disk, Inode const& directory);

} // namespace gemel::ext4
