#include "servers/ext4/directory_edit.hpp"

#include "servers/ext4/directory_chain.hpp"
#include "servers/ext4/index_block.hpp"
#include "servers/ext4/index_edit.hpp"
#include "servers/ext4/inline_edit.hpp"

namespace gemel::ext4 {

namespace {

bool is_dots(std::string_view name)
{
    return name == "." || name == "..";
}

// Finds the name and runs edit(chain, offset) on its block. False: it is not there.
Result<bool> edit_in_block(
    Disk& disk, Inode& directory, u64 file_block, std::string_view name, EntryEdit const& edit)
{
    auto const& super = disk.super();
    bool const root = is_indexed(super, directory) && file_block == 0;
    auto const held = TRY(load_directory_block(disk, directory, file_block));
    if (!held)
        return false;
    // Looked for first, so that only the block that has it is changed.
    auto const offset = DirectoryChain::find(super, Bytes(*held).first(chain_bytes(super)), name);
    if (!offset)
        return false;
    auto const bytes = TRY(root ? change_index_block(disk, directory, 0, IndexLevel::root)
                                : change_directory_block(disk, directory, file_block));
    DirectoryChain changed(super, bytes);
    edit(changed, *offset);
    if (root)
        seal_index_block(super, directory, bytes, IndexLevel::root);
    else
        seal_directory_block(super, directory, bytes);
    return true;
}

Result<void> edit_entry(Disk& disk, Inode& directory, std::string_view name, EntryEdit const& edit)
{
    disk.names().forget(directory.number, name);
    if (directory.has(InodeFlag::inline_data))
        return edit_inline_entry(disk, directory, name, edit);
    auto const visit
        = [&](u64 file_block) { return edit_in_block(disk, directory, file_block, name, edit); };
    if (is_indexed(disk.super(), directory) && !is_dots(name))
        return TRY(visit_blocks_by_hash(disk, directory, name, visit)) ? Result<void>()
                                                                       : Error::not_found;
    auto const blocks = directory.size_bytes / disk.super().block_bytes;
    for (u64 file_block = 0; file_block < blocks; ++file_block) {
        if (TRY(visit(file_block)))
            return {};
    }
    return Error::not_found;
}

Result<bool> add_in_block(
    Disk& disk, Inode& directory, u64 file_block, std::string_view name, Found target)
{
    auto const& super = disk.super();
    auto const held = TRY(load_directory_block(disk, directory, file_block));
    if (!held)
        return false;
    std::vector<u8> copy(*held);
    if (DirectoryChain(super, copy).add(name, target) == DirectoryChain::Added::full)
        return false;
    auto const bytes = TRY(change_directory_block(disk, directory, file_block));
    DirectoryChain(super, bytes).add(name, target);
    seal_directory_block(super, directory, bytes);
    return true;
}

Result<void> put_entry(Disk& disk, Inode& directory, std::string_view name, Found target)
{
    auto const& super = disk.super();
    if (directory.has(InodeFlag::inline_data)) {
        if (TRY(add_inline_entry(disk, directory, name, target)))
            return {};
        TRY(move_directory_out(disk, directory));
    }
    if (is_indexed(super, directory))
        return add_by_hash(disk, directory, name, target);
    auto const blocks = directory.size_bytes / super.block_bytes;
    for (auto file_block = blocks; file_block-- > 0;) {
        if (TRY(add_in_block(disk, directory, file_block, name, target)))
            return {};
    }
    if (TRY(can_be_indexed(disk, directory))) {
        TRY(make_indexed(disk, directory));
        return add_by_hash(disk, directory, name, target);
    }
    auto const made = TRY(append_directory_block(disk, directory));
    auto const bytes = create_directory_block(disk, directory, made.disk_block);
    DirectoryChain(super, bytes).add(name, target);
    seal_directory_block(super, directory, bytes);
    return {};
}

} // namespace

Result<void> add_entry(Disk& disk, Inode& directory, std::string_view name, Found target)
{
    disk.names().forget(directory.number, name);
    TRY(put_entry(disk, directory, name, target));
    // As a search would find it; taken back with the rest if the operation is.
    if (!disk.super().has(Incompatible::filetype))
        target.type = FileType::unknown;
    disk.names().put(directory.number, name, target);
    return {};
}

Result<void> remove_entry(Disk& disk, Inode& directory, std::string_view name)
{
    return edit_entry(
        disk, directory, name, [](DirectoryChain& chain, usize offset) { chain.remove(offset); });
}

Result<void> replace_entry(Disk& disk, Inode& directory, std::string_view name, Found target)
{
    if (name == ".." && directory.has(InodeFlag::inline_data))
        return set_inline_parent(disk, directory, target.inode);
    return edit_entry(disk, directory, name,
        [&](DirectoryChain& chain, usize offset) { chain.retarget(offset, target); });
}

Result<void> start_directory(Disk& disk, Inode& directory, u32 parent)
{
    if (TRY(start_inline_directory(disk, directory, parent)))
        return {};
    auto const& super = disk.super();
    auto const made = TRY(append_directory_block(disk, directory));
    auto const bytes = create_directory_block(disk, directory, made.disk_block);
    DirectoryChain chain(super, bytes);
    chain.add(".", { directory.number, FileType::directory });
    chain.add("..", { parent, FileType::directory });
    seal_directory_block(super, directory, bytes);
    return {};
}

Result<bool> is_empty_directory(Disk& disk, Inode const& directory)
{
    DirectoryCursor cursor(disk, directory, 0);
    while (true) {
        auto const entry = TRY(cursor.next());
        if (!entry)
            return true;
        if (!is_dots(entry->name))
            return false;
    }
}

} // namespace gemel::ext4
