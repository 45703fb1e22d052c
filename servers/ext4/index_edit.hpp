// Adding names to a directory with a hash tree.
#pragma once

#include "servers/ext4/directory.hpp"

#include <functional>

namespace gemel::ext4 {

// See add_entry.
Result<void> add_by_hash(Disk& disk, Inode& directory, std::string_view name, Found target);

// Whether the volume has hash trees and the directory is one block that begins as every one does.
Result<bool> can_be_indexed(Disk& disk, Inode const& directory);
// Gives such a directory, which is full, a hash tree.
Result<void> make_indexed(Disk& disk, Inode& directory);

// A block behind the directory's end, allocated and mapped; its size grows.
struct AppendedBlock {
    u64 file_block;
    u64 disk_block;
};
Result<AppendedBlock> append_directory_block(Disk& disk, Inode& directory);

// The blocks that may hold the name: calls visit(file_block) -> Result<bool> until it says true.
using BlockVisit = std::function<Result<bool>(u64)>;
Result<bool> visit_blocks_by_hash(
    Disk& disk, Inode const& directory, std::string_view name, BlockVisit const& visit);

} // namespace gemel::ext4
