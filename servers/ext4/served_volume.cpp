#include "servers/ext4/served_volume.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u16 permission_bits = 07777;

FileTime file_time(Timestamp time)
{
    return { time.seconds, time.nanoseconds };
}

// Cut to fit, with a NUL.
template <usize bytes>
void put_text(char (&target)[bytes], std::string_view text)
{
    std::copy_n(text.begin(), std::min(text.size(), bytes - 1), target);
}

} // namespace

FileKind kind_of(FileType type)
{
    switch (type) {
    case FileType::unknown:
    case FileType::regular:
        return FileKind::regular;
    case FileType::directory:
        return FileKind::directory;
    case FileType::character_device:
        return FileKind::character_device;
    case FileType::block_device:
        return FileKind::block_device;
    case FileType::fifo:
        return FileKind::pipe;
    case FileType::socket:
        return FileKind::socket;
    case FileType::symbolic_link:
        return FileKind::symlink;
    }
    return FileKind::regular;
}

FileStatus status_of(Volume const& volume, Inode const& inode)
{
    if (auto* const writer = volume.writer())
        writer->note_seen(inode);
    return {
        .inode = inode.number,
        .size = inode.size_bytes,
        .blocks = volume.allocated_bytes(inode) / 512,
        .accessed = file_time(inode.accessed),
        .modified = file_time(inode.modified),
        .changed = file_time(inode.changed),
        .uid = inode.user,
        .gid = inode.group,
        .links = inode.links,
        .mode = static_cast<u16>(inode.mode & permission_bits),
        .kind = kind_of(inode.type()),
        .created = inode.created ? file_time(*inode.created) : FileTime {},
        .device_major = inode.device().major,
        .device_minor = inode.device().minor,
    };
}

VolumeStatus status_of(Volume const& volume)
{
    auto const statistics = volume.statistics();
    auto const* const writer = volume.writer();
    VolumeStatus status {
        .bytes_total = (statistics.blocks - statistics.overhead_blocks) * statistics.block_bytes,
        .bytes_free = statistics.free_blocks * statistics.block_bytes,
        .bytes_available = statistics.available_blocks * statistics.block_bytes,
        .files_total = statistics.inodes,
        .files_free = statistics.free_inodes,
        .block_bytes = statistics.block_bytes,
        .read_only = writer && !writer->failed() ? 0u : 1u,
    };
    put_text(status.type, statistics.kind);
    put_text(status.label, statistics.label);
    return status;
}

} // namespace gemel::ext4
