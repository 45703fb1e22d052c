// Changes of files: contents, size, allocation, attributes (see volume_writer.hpp).
#include "servers/ext4/file_edit.hpp"
#include "servers/ext4/fixed.hpp"
#include "servers/ext4/inline_edit.hpp"
#include "servers/ext4/map_edit.hpp"
#include "servers/ext4/volume_writer.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u64 every_block = extent_layout::file_blocks_max;
constexpr u16 set_user_bit = 04000;
constexpr u16 set_group_bit = 02000;
constexpr u16 group_execute_bit = 010;

// A program that is given away does not lend its new owner's rights. Who writes to one without
// being its owner is known to who asks alone: it takes the bits away itself.
void drop_set_bits(Inode& inode)
{
    if (inode.is_directory())
        return;
    inode.mode = static_cast<u16>(inode.mode & ~set_user_bit);
    if ((inode.mode & group_execute_bit) != 0)
        inode.mode = static_cast<u16>(inode.mode & ~set_group_bit);
}

} // namespace

Result<Inode> VolumeWriter::changeable_file(u32 number)
{
    auto const inode = TRY(read_inode(disk_, number, InodeUse::any));
    if (inode.is_directory())
        return Error::is_directory;
    if (inode.type() != FileType::regular)
        return Error::invalid;
    if (inode.has(InodeFlag::immutable))
        return Error::no_rights;
    return inode;
}

// A file whose bytes are in blocks from now on.
Result<Inode> VolumeWriter::mapped_file(u32 number)
{
    auto inode = TRY(changeable_file(number));
    if (inode.has(InodeFlag::inline_data))
        TRY(move_file_out(disk_, inode));
    return inode;
}

// A write into blocks that the file has changes its times alone, and within a tick nothing.
Result<void> VolumeWriter::touch_written(Inode& inode, Inode const& before)
{
    if (disk_.transaction().operation_changes() || disk_.waiting().operation_changes()
        || inode != before)
        return touch(inode);
    disk_.transaction().note_only_times();
    auto const time = change_time();
    return inode.modified == time && inode.changed == time ? Result<void> {} : touch(inode);
}

Result<usize> VolumeWriter::write(u32 number, u64 offset, Bytes source)
{
    usize done = 0;
    while (done < source.size()) {
        auto const piece = operate([&]() -> Result<usize> {
            auto inode = TRY(changeable_file(number));
            if (inode.has(InodeFlag::append_only) && offset + done != inode.size_bytes)
                return Error::no_rights;
            auto const before = inode;
            auto const bytes = TRY(write_piece(disk_, inode, offset + done, source.subspan(done)));
            if (bytes > 0)
                TRY(touch_written(inode, before));
            return bytes;
        });
        auto const next = piece && *piece == 0 ? place(number) : Result<void>();
        if (!piece || !next) {
            auto const error = piece ? next.error() : piece.error();
            return done > 0 ? Result<usize>(done) : error;
        }
        done += *piece;
    }
    return done;
}

Result<void> VolumeWriter::grow(u32 number, u64 size)
{
    return operate([&]() -> Result<void> {
        auto inode = TRY(changeable_file(number));
        if (inode.has(InodeFlag::inline_data))
            TRY(resize_inline(disk_, inode, size));
        inode.size_bytes = size;
        return touch(inode);
    });
}

// The new size first, among the orphans while blocks behind it are left.
Result<void> VolumeWriter::cut(u32 number, u64 size, Listed listed)
{
    u64 const block_bytes = disk_.super().block_bytes;
    auto const first = (size + block_bytes - 1) / block_bytes;
    while (true) {
        auto const progress = TRY(operate([&]() -> Result<Progress> {
            auto inode = TRY(changeable_file(number));
            bool const inside = inode.has(InodeFlag::inline_data);
            if (inside)
                TRY(resize_inline(disk_, inode, size));
            inode.size_bytes = size;
            auto const done
                = inside ? Progress::done : TRY(free_some_blocks(disk_, inode, first, every_block));
            TRY(touch(inode));
            // An open file without a name is among them already, and stays.
            if (done == Progress::more && listed == Listed::no && inode.links > 0)
                TRY(orphans_.add(inode));
            if (done == Progress::done && listed == Listed::yes && inode.links > 0)
                TRY(orphans_.remove(inode));
            if (done == Progress::done && !inside && size % block_bytes != 0)
                TRY(zero_bytes(disk_, inode, size, first * block_bytes));
            return done;
        }));
        if (progress == Progress::done)
            return {};
        listed = Listed::yes;
    }
}

Result<void> VolumeWriter::resize(u32 number, u64 size)
{
    auto const inode = TRY(changeable_file(number));
    if (inode.has(InodeFlag::append_only))
        return Error::no_rights;
    if (size > file_bytes_max(disk_.super(), inode))
        return Error::too_big;
    return size > inode.size_bytes ? grow(number, size) : cut(number, size);
}

Result<void> VolumeWriter::punch(u32 number, u64 offset, u64 end)
{
    u64 const block_bytes = disk_.super().block_bytes;
    auto const first = (offset + block_bytes - 1) / block_bytes;
    auto const last = end / block_bytes;
    while (true) {
        auto const progress = TRY(operate([&]() -> Result<Progress> {
            auto inode = TRY(mapped_file(number));
            end = std::min(end, align_up(inode.size_bytes, block_bytes));
            TRY(zero_bytes(disk_, inode, offset, std::min(end, first * block_bytes)));
            TRY(zero_bytes(disk_, inode, std::max(offset, last * block_bytes), end));
            auto const done
                = first < last ? TRY(free_some_blocks(disk_, inode, first, last)) : Progress::done;
            TRY(touch(inode));
            return done;
        }));
        if (progress == Progress::done)
            return {};
    }
}

Result<void> VolumeWriter::allocate(u32 number, u64 offset, u64 bytes, Allocation allocation)
{
    if (bytes == 0)
        return Error::invalid;
    auto const file = TRY(changeable_file(number));
    bool const keeps_bytes = allocation == Allocation::grow || allocation == Allocation::keep_size;
    if (file.has(InodeFlag::append_only) && !keeps_bytes)
        return Error::no_rights;
    auto const limit = file_bytes_max(disk_.super(), file);
    if (offset > limit || bytes > limit - offset)
        return Error::too_big;
    auto const end = offset + bytes;
    if (allocation == Allocation::punch)
        return punch(number, offset, end);
    bool const by_pointers = file.has(InodeFlag::inline_data)
        ? !disk_.super().has(Incompatible::extent)
        : !file.has(InodeFlag::extents);
    if (by_pointers) // they know no blocks without content
        return Error::unsupported;
    TRY(place(number)); // all that follows looks at the map alone
    u64 const block_bytes = disk_.super().block_bytes;
    bool const zeroes = allocation == Allocation::zero || allocation == Allocation::zero_keep_size;
    auto const first_whole = (offset + block_bytes - 1) / block_bytes;
    while (true) {
        auto const progress = TRY(operate([&]() -> Result<Progress> {
            auto inode = TRY(mapped_file(number));
            if (zeroes && first_whole < end / block_bytes
                && TRY(unwrite_last_data(disk_, inode, first_whole, end / block_bytes))
                    == Progress::more) {
                TRY(touch(inode));
                return Progress::more;
            }
            auto const done = TRY(fill_first_hole(
                disk_, inode, offset / block_bytes, (end + block_bytes - 1) / block_bytes));
            if (done == Progress::done && zeroes) {
                auto const middle = std::min(end, first_whole * block_bytes);
                TRY(zero_bytes(disk_, inode, offset, middle));
                TRY(zero_bytes(
                    disk_, inode, std::max(middle, end / block_bytes * block_bytes), end));
            }
            bool const grows = allocation == Allocation::grow || allocation == Allocation::zero;
            if (done == Progress::done && grows)
                inode.size_bytes = std::max(inode.size_bytes, end);
            TRY(touch(inode));
            return done;
        }));
        if (progress == Progress::done)
            return {};
    }
}

Result<void> VolumeWriter::set_attributes(u32 number, AttributeChanges const& changes)
{
    return operate([&]() -> Result<void> {
        constexpr u16 permission_bits = 07777;
        auto inode = TRY(read_inode(disk_, number, InodeUse::any));
        bool const allowed = changes.setting == AttributeChanges::Setting::both_times_to_now
            && !inode.has(InodeFlag::immutable);
        if (is_fixed(inode) && !allowed)
            return Error::no_rights;
        inode.changed = change_time();
        if (changes.user || changes.group)
            drop_set_bits(inode);
        if (changes.permissions) {
            inode.mode = static_cast<u16>(
                (inode.mode & ~permission_bits) | (*changes.permissions & permission_bits));
            TRY(follow_permissions(disk_, inode));
        }
        inode.user = changes.user.value_or(inode.user);
        inode.group = changes.group.value_or(inode.group);
        inode.accessed = changes.accessed.value_or(inode.accessed);
        inode.modified = changes.modified.value_or(inode.modified);
        return write_inode(disk_, inode);
    });
}

Result<void> VolumeWriter::set_extended(
    u32 number, std::string_view name, Bytes value, AttributeMode mode)
{
    return operate([&]() -> Result<void> {
        auto inode = TRY(read_inode(disk_, number, InodeUse::any));
        if (is_fixed(inode))
            return Error::no_rights;
        inode.changed = change_time();
        TRY(ext4::set_extended(disk_, inode, name, value, mode));
        return write_inode(disk_, inode);
    });
}

Result<void> VolumeWriter::remove_extended(u32 number, std::string_view name)
{
    return operate([&]() -> Result<void> {
        auto inode = TRY(read_inode(disk_, number, InodeUse::any));
        if (is_fixed(inode))
            return Error::no_rights;
        inode.changed = change_time();
        TRY(ext4::remove_extended(disk_, inode, name));
        return write_inode(disk_, inode);
    });
}

} // namespace gemel::ext4
