// Changes of what is kept inside the inode (ext4 documentation, "Inline Data"): contents of small
// files, entries of small directories. What outgrows the inode moves into a block. Who calls writes
// the inode.
#pragma once

#include "servers/ext4/directory.hpp"
#include "servers/ext4/directory_chain.hpp"

#include <functional>

namespace gemel::ext4 {

// Whether the inode is a file that its first bytes make an inline one, if they fit.
bool may_become_inline(Superblock const& super, Inode const& inode);
// How many bytes it can keep beside its other attributes; 0: none.
Result<usize> inline_bytes_max(Disk& disk, Inode const& inode);

// A file's bytes, which must fit; the size grows with them.
Result<void> write_inline(Disk& disk, Inode& inode, u64 offset, Bytes source);
// Makes room for a file that will have that size, zeros behind its contents; what does not fit
// moves out.
Result<void> resize_inline(Disk& disk, Inode& inode, u64 size);
// The contents of a file move into a block.
Result<void> move_file_out(Disk& disk, Inode& inode);

// A new directory that holds nothing; false when its inode has no place for it.
Result<bool> start_inline_directory(Disk& disk, Inode& directory, u32 parent);
// False when the entry does not fit: the directory must move out.
Result<bool> add_inline_entry(Disk& disk, Inode& directory, std::string_view name, Found target);
// Runs edit(chain, offset) on the entry. Error::not_found.
using EntryEdit = std::function<void(DirectoryChain&, usize)>;
Result<void> edit_inline_entry(
    Disk& disk, Inode& directory, std::string_view name, EntryEdit const& edit);
Result<void> set_inline_parent(Disk& disk, Inode& directory, u32 parent);
// The entries move into a block, each at a later place than before: a listing that goes on misses
// none of them.
Result<void> move_directory_out(Disk& disk, Inode& directory);

} // namespace gemel::ext4
