#include "servers/ext4/volume.hpp"

#include "servers/ext4/contents.hpp"
#include "servers/ext4/extended.hpp"
#include "servers/ext4/group_table.hpp"
#include "servers/ext4/recovery.hpp"
#include "servers/ext4/replay_overlay.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

void note_replay(ReplayPlan const& plan, MountReport& report)
{
    report.notes.push_back(sentence("the volume was not unmounted cleanly: ", plan.transactions,
        " transactions of its journal (", plan.copies.size(),
        " blocks) are read from there; nothing is written"));
}

// Takes the first component off `path`.
std::string_view take_component(std::string_view& path)
{
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    auto const name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size());
    return name;
}

// A group's copies of the superblock and of the descriptors.
u64 copies_in_group(Superblock const& super, u32 group)
{
    auto const per_block = super.block_bytes / super.descriptor_bytes;
    u64 const backup = super.has_backup(group) ? 1 : 0;
    if (super.has(Incompatible::meta_bg) && group / per_block >= super.first_meta_group) {
        auto const place = group % per_block;
        return backup + (place == 0 || place == 1 || place == per_block - 1);
    }
    u64 const descriptors = super.has(Incompatible::meta_bg)
        ? super.first_meta_group
        : (super.groups + per_block - 1) / per_block;
    return backup * (1 + descriptors + super.reserved_table_blocks);
}

// What files never have: copies, bitmaps, tables of inodes, the journal. Old volumes do not say.
u64 overhead_of(Disk& disk)
{
    auto const& super = disk.super();
    if (super.overhead_blocks != 0)
        return super.overhead_blocks;
    u64 const table_bytes = u64 { super.inodes_per_group } * super.inode_bytes;
    u64 blocks = super.first_data_block;
    for (u32 group = 0; group < super.groups; ++group)
        blocks += copies_in_group(super, group) + 2 + (table_bytes - 1) / super.block_bytes + 1;
    if (super.has(Compatible::has_journal) && super.journal_inode != 0) {
        if (auto const journal = read_inode(disk, super.journal_inode, InodeUse::any))
            blocks += journal->size_bytes / super.block_bytes;
    }
    return std::min(blocks, super.blocks);
}

constexpr std::string_view orphans_wait
    = "deleted files still wait to be freed (orphans): a mount for writing frees them";
constexpr std::string_view orphans_freed = "deleted files that waited were freed (orphans)";

// The superblock is read more than once: what it has to say is said once.
void drop_repeated(std::vector<std::string>& notes)
{
    for (auto note = notes.begin(); note != notes.end(); ++note)
        notes.erase(std::remove(note + 1, notes.end(), *note), notes.end());
}

} // namespace

Result<Volume> Volume::mount(BlockReader& device, ErrorSink& errors, MountReport& report)
{
    auto volume = look_at(device, errors, report);
    if (volume && volume->super().has(Incompatible::mmp))
        report.notes.push_back("mmp: whether another host is writing the volume is not checked");
    if (volume && volume->super().has_orphans)
        report.notes.emplace_back(orphans_wait);
    return volume;
}

Result<Volume> Volume::look_at(BlockReader& device, ErrorSink& errors, MountReport& report)
{
    auto opening = TRY(open_volume(device, errors, report));
    std::unique_ptr<BlockReader> replayed;
    if (opening.needs_replay) {
        note_replay(opening.plan, report);
        replayed = std::make_unique<ReplayOverlay>(
            device, opening.super.block_bytes, std::move(opening.plan.copies));
    }
    auto& source = replayed ? *replayed : device;
    Volume volume(
        std::move(replayed), std::make_unique<Disk>(source, errors, std::move(opening.super)));
    auto const root = volume.inode(root_inode);
    if (!root || !root->is_directory()) {
        report.refusal
            = sentence("corrupt: the root directory, inode ", root_inode, ", is unreadable");
        return root ? Error::corrupt : root.error();
    }
    volume.overhead_blocks_ = overhead_of(*volume.disk_);
    return volume;
}

Result<Volume> Volume::mount_writable(
    BlockDevice& device, ErrorSink& errors, MountReport& report, WriteOptions options)
{
    auto guard = TRY(MountGuard::claim(device, { options.now_ns, options.wait_ns }, report));
    if (!guard)
        return mount_claimed(device, errors, report, std::move(options));
    auto volume = mount_claimed(*guard, errors, report, std::move(options));
    if (volume && volume->writer())
        volume->writer()->guard_with(*guard);
    else
        TRY(guard->release());
    if (volume)
        volume->guard_ = std::move(guard);
    return volume;
}

Result<Volume> Volume::mount_claimed(
    BlockDevice& device, ErrorSink& errors, MountReport& report, WriteOptions options)
{
    auto const recovery = TRY(recover(device, errors, report));
    auto volume = TRY(look_at(device, errors, report));
    drop_repeated(report.notes);
    if (recovery.was_needed) {
        report.notes.push_back(sentence("the volume was not unmounted cleanly: ",
            recovery.transactions, " transactions were replayed from its journal"));
    }
    MountReport refused;
    auto writer = VolumeWriter::start(*volume.disk_, device, std::move(options), refused);
    if (volume.super().has_orphans)
        report.notes.emplace_back(writer ? orphans_freed : orphans_wait);
    if (writer)
        volume.writer_ = std::move(*writer);
    else if (!refused.refusal.empty())
        report.notes.push_back(std::move(refused.refusal));
    else
        return writer.error();
    return volume;
}

Result<u64> Volume::seek(Inode const& inode, u64 offset, Sought sought)
{
    if (offset >= inode.size_bytes)
        return Error::not_found;
    if (inode.has(InodeFlag::inline_data))
        return sought == Sought::data ? offset : inode.size_bytes;
    u64 const block_bytes = super().block_bytes;
    for (auto at = offset; at < inode.size_bytes;) {
        auto const run = TRY(find_run(*disk_, inode, at / block_bytes));
        if ((run.kind == Run::Kind::zeros) == (sought == Sought::hole))
            return at;
        at = (at / block_bytes + run.blocks) * block_bytes;
    }
    if (sought == Sought::hole)
        return inode.size_bytes;
    return Error::not_found;
}

Statistics Volume::statistics() const
{
    auto const& from = super();
    auto const counts = free_counts(*disk_);
    auto free = std::min(counts ? counts->blocks : from.free_blocks, from.blocks);
    free -= std::min(free, disk_->waiting().blocks());
    return { from.kind(), from.label, from.uuid, from.block_bytes, from.blocks, overhead_blocks_,
        free, free - std::min(free, from.kept_blocks()), from.inodes,
        std::min(counts ? counts->inodes : from.free_inodes, from.inodes) };
}

Result<Inode> Volume::inode(u32 number, InodeUse use)
{
    return read_inode(*disk_, number, use);
}

Result<usize> Volume::read(Inode const& inode, u64 offset, std::span<u8> target, u64 ahead)
{
    if (inode.is_directory())
        return Error::is_directory;
    if (inode.type() != FileType::regular)
        return Error::invalid;
    return read_contents(*disk_, inode, offset, target, ahead);
}

Result<std::string> Volume::read_link(Inode const& inode)
{
    return read_link_target(*disk_, inode);
}

Result<std::vector<u8>> Volume::get_extended(Inode const& inode, std::string_view name)
{
    return ext4::get_extended(*disk_, inode, name);
}

Result<std::string> Volume::list_extended(Inode const& inode)
{
    return ext4::list_extended(*disk_, inode);
}

Result<DirectoryCursor> Volume::list(Inode const& directory, u64 cookie)
{
    if (!directory.is_directory())
        return Error::not_directory;
    return DirectoryCursor(*disk_, directory, cookie);
}

Result<Found> Volume::lookup(Inode const& directory, std::string_view name)
{
    return find_name(*disk_, directory, name);
}

Result<WalkEnd> Volume::walk(Inode const& directory, std::string_view path)
{
    if (path.size() > path_bytes_max)
        return Error::too_big;
    WalkEnd end { directory, directory.number, path };
    while (true) {
        auto rest = end.rest;
        auto const name = take_component(rest);
        if (name.empty())
            return WalkEnd { std::move(end.inode), end.parent, {} };
        auto const found = TRY(find_name(*disk_, end.inode, name));
        end = { TRY(read_inode(*disk_, found.inode)), end.inode.number, rest };
        if (end.inode.type() == FileType::symbolic_link)
            return end;
    }
}

} // namespace gemel::ext4
