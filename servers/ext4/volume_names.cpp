// Changes of names: create, remove, link, rename (see volume_writer.hpp).
#include "servers/ext4/block_allocator.hpp"
#include "servers/ext4/directory_edit.hpp"
#include "servers/ext4/file_edit.hpp"
#include "servers/ext4/fixed.hpp"
#include "servers/ext4/map_edit.hpp"
#include "servers/ext4/volume_writer.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u16 type_bits = 0xF000;
constexpr u16 set_group_bit = 02000;
constexpr u32 depth_max = 100'000; // of directories, where a damaged ".." could lead in a circle
constexpr u64 every_block = extent_layout::file_blocks_max;

Found target_of(Inode const& inode)
{
    return { inode.number, inode.type() };
}

void store_device(Inode& inode, DeviceNumber device)
{
    if (device.major < 256 && device.minor < 256) {
        store32(inode.map, 0, device.major << 8 | device.minor);
        return;
    }
    store32(
        inode.map, 4, (device.minor & 0xFF) | device.major << 8 | (device.minor & ~0xFFu) << 12);
}

// A directory whose files belong to its project has no others.
bool takes_into_project(Inode const& directory, Inode const& inode)
{
    return !directory.has(InodeFlag::inherits_project) || directory.project == inode.project;
}

} // namespace

// One that still has a name: nothing is made in a removed one.
Result<Inode> VolumeWriter::directory(u32 number)
{
    auto const inode = TRY(read_inode(disk_, number, InodeUse::any));
    if (inode.links == 0)
        return Error::not_found;
    if (!inode.is_directory())
        return Error::not_directory;
    if (inode.has(InodeFlag::immutable))
        return Error::no_rights;
    return inode;
}

Result<void> VolumeWriter::check_new_name(NameOf place, Inode const& directory)
{
    constexpr std::string_view forbidden("/\0", 2);
    if (place.name.size() > name_bytes_max)
        return Error::name_too_long;
    if (place.name.empty() || place.name == "." || place.name == ".."
        || place.name.find_first_of(forbidden) != std::string_view::npos)
        return Error::invalid;
    auto const found = find_name(disk_, directory, place.name);
    if (found)
        return Error::exists;
    return found.error() == Error::not_found ? Result<void>() : found.error();
}

Result<void> VolumeWriter::touch(Inode& inode)
{
    inode.modified = inode.changed = change_time();
    return write_inode(disk_, inode);
}

// Of a directory that gets another one inside; 1 says "too many to count".
Result<void> VolumeWriter::count_up(Inode& directory)
{
    if (directory.links == 1)
        return {};
    if (directory.links < links_max) {
        ++directory.links;
        return {};
    }
    if (!disk_.super().has(ReadOnlyCompatible::dir_nlink))
        return Error::too_many_links;
    directory.links = 1;
    return {};
}

void VolumeWriter::count_down(Inode& directory)
{
    if (directory.links > 2)
        --directory.links;
}

Result<void> VolumeWriter::fill_symlink(Inode& inode, std::string_view text)
{
    Bytes const bytes(reinterpret_cast<u8 const*>(text.data()), text.size());
    if (text.empty() || text.size() >= disk_.super().block_bytes)
        return text.empty() ? Error::invalid : Error::name_too_long;
    if (text.size() < inode_map_bytes) {
        std::copy(bytes.begin(), bytes.end(), inode.map.begin());
        inode.size_bytes = text.size();
        return {};
    }
    start_map(disk_.super(), inode);
    TRY(write_mapped_piece(disk_, inode, 0, bytes, Placing::now));
    return {};
}

Result<Inode> VolumeWriter::make(Inode const& parent, NewFile const& file)
{
    auto inode = TRY(allocate_inode(disk_, parent,
        { file.mode, file.user, file.group, change_clock_.time_ns(now()), next_generation() }));
    inode.links = 1;
    switch (inode.type()) {
    case FileType::unknown:
        return Error::invalid;
    case FileType::directory:
        TRY(start_directory(disk_, inode, parent.number));
        inode.links = 2;
        break;
    case FileType::symbolic_link:
        TRY(fill_symlink(inode, file.link_text));
        break;
    case FileType::character_device:
    case FileType::block_device:
        store_device(inode, file.device);
        break;
    case FileType::regular:
    case FileType::fifo:
    case FileType::socket:
        break;
    }
    TRY(inherit_access_list(disk_, parent, inode));
    TRY(write_inode(disk_, inode));
    return inode;
}

Result<u32> VolumeWriter::create(NameOf place, NewFile const& file)
{
    return operate([&]() -> Result<u32> {
        auto parent = TRY(directory(place.directory));
        TRY(check_new_name(place, parent));
        auto made = file;
        bool const is_directory = (file.mode & type_bits) == 0x4000;
        if ((parent.mode & set_group_bit) != 0) {
            made.group = parent.group;
            made.mode = static_cast<u16>(made.mode | (is_directory ? set_group_bit : 0));
        }
        if (is_directory)
            TRY(count_up(parent));
        auto const inode = TRY(make(parent, made));
        TRY(add_entry(disk_, parent, place.name, target_of(inode)));
        TRY(touch(parent));
        return inode.number;
    });
}

Result<void> VolumeWriter::drop_link(Inode& inode)
{
    inode.changed = change_time();
    inode.links = inode.is_directory() ? 0 : inode.links - 1;
    return inode.links == 0 ? orphans_.add(inode) : write_inode(disk_, inode);
}

Result<void> VolumeWriter::remove(NameOf place, Removal removal)
{
    auto const number = TRY(operate([&]() -> Result<u32> {
        auto parent = TRY(directory(place.directory));
        auto const found = TRY(find_name(disk_, parent, place.name));
        auto inode = TRY(read_inode(disk_, found.inode));
        if (place.name == "." || place.name == "..")
            return Error::invalid;
        if (parent.has(InodeFlag::append_only) || is_fixed(inode))
            return Error::no_rights;
        if (removal == Removal::directory && !inode.is_directory())
            return Error::not_directory;
        if (removal == Removal::file && inode.is_directory())
            return Error::is_directory;
        if (inode.is_directory() && !TRY(is_empty_directory(disk_, inode)))
            return Error::not_empty;
        TRY(remove_entry(disk_, parent, place.name));
        if (inode.is_directory())
            count_down(parent);
        TRY(touch(parent));
        TRY(drop_link(inode));
        return inode.number;
    }));
    return evict_if_unused(number);
}

Result<void> VolumeWriter::evict_if_unused(u32 number)
{
    if (open_counts_.contains(number))
        return {};
    auto const inode = TRY(read_inode(disk_, number, InodeUse::any));
    return inode.links == 0 ? evict(number) : Result<void>();
}

// Blocks first, some in each operation: among the orphans a power cut does no harm.
Result<void> VolumeWriter::evict(u32 number)
{
    while (true) {
        auto const progress = TRY(operate([&]() -> Result<Progress> {
            auto inode = TRY(read_inode(disk_, number, InodeUse::any));
            if (maps_blocks(inode)
                && TRY(free_some_blocks(disk_, inode, 0, every_block)) == Progress::more) {
                TRY(write_inode(disk_, inode));
                return Progress::more;
            }
            if (TRY(let_go_of_values(disk_, inode)) == Progress::more) {
                TRY(write_inode(disk_, inode));
                return Progress::more;
            }
            TRY(release_attribute_block(disk_, inode));
            TRY(orphans_.remove(inode));
            inode.size_bytes = 0;
            TRY(free_inode(disk_, inode, now()));
            return Progress::done;
        }));
        if (progress == Progress::done)
            return {};
    }
}

Result<void> VolumeWriter::link(u32 number, NameOf place)
{
    return operate([&]() -> Result<void> {
        auto parent = TRY(directory(place.directory));
        auto inode = TRY(read_inode(disk_, number));
        TRY(check_new_name(place, parent));
        if (inode.is_directory() || is_fixed(inode))
            return Error::no_rights;
        if (inode.links >= links_max)
            return Error::too_many_links;
        if (!takes_into_project(parent, inode))
            return Error::cross_device;
        ++inode.links;
        inode.changed = change_time();
        TRY(write_inode(disk_, inode));
        TRY(add_entry(disk_, parent, place.name, target_of(inode)));
        return touch(parent);
    });
}

Result<void> VolumeWriter::reconnect(u32 number, NameOf const& place)
{
    return operate([&]() -> Result<void> {
        auto parent = TRY(directory(place.directory));
        auto inode = TRY(read_inode(disk_, number));
        TRY(check_new_name(place, parent));
        TRY(add_entry(disk_, parent, place.name, target_of(inode)));
        if (inode.is_directory()) {
            TRY(replace_entry(disk_, inode, "..", target_of(parent)));
            TRY(write_inode(disk_, inode));
            TRY(count_up(parent));
        }
        return touch(parent);
    });
}

Result<bool> VolumeWriter::lies_below(u32 number, u32 ancestor)
{
    for (u32 depth = 0; depth < depth_max; ++depth) {
        if (number == ancestor)
            return true;
        if (number == root_inode)
            return false;
        number = TRY(find_name(disk_, TRY(read_inode(disk_, number)), "..")).inode;
    }
    return disk_.corrupt("inode ", number, ": its parents run in a circle");
}

Result<VolumeWriter::Renaming> VolumeWriter::plan_rename(NameOf from, NameOf to, RenameWay way)
{
    Renaming plan { from, to, way, TRY(directory(from.directory)), {}, {}, {} };
    if (from.directory != to.directory)
        plan.target = TRY(directory(to.directory));
    for (auto const name : { from.name, to.name }) {
        if (name.empty() || name == "." || name == "..")
            return Error::invalid;
    }
    auto const found = TRY(find_name(disk_, plan.source, from.name));
    plan.moved = TRY(read_inode(disk_, found.inode));
    auto const there = find_name(disk_, plan.destination(), to.name);
    if (!there && there.error() != Error::not_found)
        return there.error();
    if (there && way == RenameWay::no_replace)
        return Error::exists;
    if (!there && way == RenameWay::exchange)
        return Error::not_found;
    if (there)
        plan.replaced = TRY(read_inode(disk_, there->inode));
    else
        TRY(check_new_name(to, plan.destination()));
    if (plan.moved.is_directory() && TRY(lies_below(to.directory, plan.moved.number)))
        return Error::invalid;
    if (!takes_into_project(plan.destination(), plan.moved))
        return Error::cross_device;
    if (way == RenameWay::exchange && !takes_into_project(plan.source, *plan.replaced))
        return Error::cross_device;
    if (plan.same_file())
        return plan;
    bool const is_ancestor = plan.replaced && plan.replaced->is_directory()
        && TRY(lies_below(from.directory, plan.replaced->number));
    if (is_ancestor)
        return way == RenameWay::exchange ? Error::invalid : Error::not_empty;
    bool const leaves_fixed = plan.source.has(InodeFlag::append_only) || is_fixed(plan.moved);
    if (leaves_fixed
        || (plan.replaced
            && (plan.destination().has(InodeFlag::append_only) || is_fixed(*plan.replaced))))
        return Error::no_rights;
    if (!plan.replaced || way == RenameWay::exchange)
        return plan;
    if (plan.moved.is_directory() && !plan.replaced->is_directory())
        return Error::not_directory;
    if (!plan.moved.is_directory() && plan.replaced->is_directory())
        return Error::is_directory;
    if (plan.replaced->is_directory() && !TRY(is_empty_directory(disk_, *plan.replaced)))
        return Error::not_empty;
    return plan;
}

// ".." of a directory that moves, and what its parents count.
Result<void> VolumeWriter::move_parent(Inode& moved, Inode& from, Inode& to)
{
    if (!moved.is_directory() || from.number == to.number)
        return {};
    TRY(replace_entry(disk_, moved, "..", target_of(to)));
    count_down(from);
    return count_up(to);
}

Result<void> VolumeWriter::exchange(Renaming& plan)
{
    auto& moved = plan.moved;
    auto& other = *plan.replaced;
    TRY(replace_entry(disk_, plan.source, plan.from.name, target_of(other)));
    TRY(replace_entry(disk_, plan.destination(), plan.to.name, target_of(moved)));
    TRY(move_parent(moved, plan.source, plan.destination()));
    TRY(move_parent(other, plan.destination(), plan.source));
    moved.changed = other.changed = change_time();
    TRY(write_inode(disk_, moved));
    TRY(write_inode(disk_, other));
    TRY(touch(plan.source));
    return plan.target ? touch(*plan.target) : Result<void>();
}

// Gives the inode that lost a name; 0: none.
Result<u32> VolumeWriter::carry_out(Renaming& plan)
{
    auto& moved = plan.moved;
    auto& to = plan.destination();
    if (plan.replaced) {
        TRY(replace_entry(disk_, to, plan.to.name, target_of(moved)));
        if (plan.replaced->is_directory())
            count_down(to);
        TRY(drop_link(*plan.replaced));
    } else {
        TRY(add_entry(disk_, to, plan.to.name, target_of(moved)));
    }
    TRY(remove_entry(disk_, plan.source, plan.from.name));
    TRY(move_parent(moved, plan.source, to));
    moved.changed = change_time();
    TRY(write_inode(disk_, moved));
    TRY(touch(plan.source));
    if (plan.target)
        TRY(touch(*plan.target));
    return plan.replaced ? plan.replaced->number : 0;
}

Result<void> VolumeWriter::rename(NameOf from, NameOf to, RenameWay way)
{
    auto const dropped = TRY(operate([&]() -> Result<u32> {
        auto plan = TRY(plan_rename(from, to, way));
        if (plan.same_file())
            return u32 { 0 };
        if (way != RenameWay::exchange)
            return carry_out(plan);
        TRY(exchange(plan));
        return u32 { 0 };
    }));
    return dropped == 0 ? Result<void>() : evict_if_unused(dropped);
}

} // namespace gemel::ext4
