// A mounted volume: the whole interface of this folder. Changes go through its writer.
//
// All state is inside; two calls may not run at the same time (the server holds it in a Guarded).
// A damaged structure is told to the ErrorSink and answered Error::corrupt; everything else stays
// readable.
#pragma once

#include "servers/ext4/block_map.hpp"
#include "servers/ext4/block_reader.hpp"
#include "servers/ext4/directory.hpp"
#include "servers/ext4/error_sink.hpp"
#include "servers/ext4/inode.hpp"
#include "servers/ext4/mount_report.hpp"
#include "servers/ext4/volume_writer.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace gemel::ext4 {

struct Statistics {
    std::string_view kind; // "ext2", "ext3" or "ext4"
    std::string label;
    std::array<u8, 16> uuid;
    u32 block_bytes;
    u64 blocks;
    u64 overhead_blocks; // of these: what files never have
    u64 free_blocks;
    u64 available_blocks; // free ones that are not reserved
    u32 inodes;
    u32 free_inodes;
};

// Where a walk came to: `rest` is what is left of the path, empty or behind a symbolic link.
struct WalkEnd {
    Inode inode;
    u32 parent; // the directory that holds it
    std::string_view rest; // points into the walked path
};

class Volume {
public:
    // Borrows `device` and `errors`, which outlive the volume. A refusal is explained in `report`:
    // Error::unsupported for what can be named and is not offered (another file system, a feature),
    // Error::corrupt for damage, else the device's error. A journal to replay is replayed in
    // memory.
    static Result<Volume> mount(BlockReader& device, ErrorSink& errors, MountReport& report);

    // The same for writing, after a replay if one is needed; Error::busy when another host writes
    // it (mmp). What can be named and only be read,
    // is: then writer() is null, and report.notes says why.
    static Result<Volume> mount_writable(
        BlockDevice& device, ErrorSink& errors, MountReport& report, WriteOptions options);

    // For who has claimed the volume already, or what has no mmp.
    static Result<Volume> mount_claimed(
        BlockDevice& device, ErrorSink& errors, MountReport& report, WriteOptions options);

    // Null when the volume is read-only.
    VolumeWriter* writer() const { return writer_.get(); }

    Superblock const& super() const { return disk_->super(); }
    Statistics statistics() const;

    // What the file takes of the volume, in bytes: its blocks, and those that have no place yet.
    u64 allocated_bytes(Inode const& inode) const
    {
        return inode.allocated_bytes
            + disk_->waiting().blocks_of(inode.number) * super().block_bytes;
    }

    // `number` from 1; root_inode is the root directory.
    Result<Inode> inode(u32 number, InodeUse use = InodeUse::named);

    // The next byte from `offset` on that is data, or that lies in a hole (the end is one).
    // Error::not_found from the end on, and when there is no more data.
    enum class Sought : u8 { data, hole };
    Result<u64> seek(Inode const& inode, u64 offset, Sought sought);

    // Fills `target` from byte `offset`; fewer bytes mean the end of the file. Error::is_directory
    // for directories, Error::invalid for what has no contents. Up to `ahead` bytes behind it, not
    // past the file's end, are likely asked for next (see ReadAhead).
    Result<usize> read(Inode const& inode, u64 offset, std::span<u8> target, u64 ahead = 0);

    // The target of a symbolic link, at most 4096 bytes. Error::invalid for anything else.
    Result<std::string> read_link(Inode const& inode);

    // Error::no_attribute; Error::unsupported for a name space that is not kept.
    Result<std::vector<u8>> get_extended(Inode const& inode, std::string_view name);
    // The names, each with a NUL behind it.
    Result<std::string> list_extended(Inode const& inode);

    // A cursor over `directory` from `cookie` (0: the start), to be used while the volume lives.
    // Error::not_directory.
    Result<DirectoryCursor> list(Inode const& directory, u64 cookie);

    // One name in a directory. Errors: see find_name.
    Result<Found> lookup(Inode const& directory, std::string_view name);

    // Follows the components of `path` (separated by '/', relative) from `directory` to its end, or
    // to the first symbolic link, which is not followed. Error::too_big over path_bytes_max; else
    // as lookup.
    Result<WalkEnd> walk(Inode const& directory, std::string_view path);

    static constexpr usize path_bytes_max = 4096;

private:
    Volume(std::unique_ptr<BlockReader> replayed, std::unique_ptr<Disk> disk)
        : replayed_(std::move(replayed))
        , disk_(std::move(disk))
    {
    }

    static Result<Volume> look_at(BlockReader& device, ErrorSink& errors, MountReport& report);

    std::unique_ptr<MountGuard> guard_; // what is written through, with mmp
    std::unique_ptr<BlockReader> replayed_; // what `disk_` reads, after a replay in memory
    std::unique_ptr<Disk> disk_; // a unique place, because cursors borrow it
    std::unique_ptr<VolumeWriter> writer_;
    u64 overhead_blocks_ = 0;
};

} // namespace gemel::ext4
