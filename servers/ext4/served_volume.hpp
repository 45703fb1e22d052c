// What the server's objects share, and how the volume's words become the protocols'.
#pragma once

#include "servers/ext4/volume.hpp"
#include "servers/ext4/waiting_syncs.hpp"
#include "servers/protocols/file_status.hpp"
#include "servers/rt/lock.hpp"
#include "servers/rt/object_server.hpp"

namespace gemel::ext4 {

struct ServedVolume {
    // Borrows both; `disk` is what the volume lies on.
    ServedVolume(Volume mounted, ObjectServer& server, BlockReader& disk)
        : volume(std::move(mounted))
        , objects(server)
        , device(disk)
    {
    }
    ServedVolume(ServedVolume const&) = delete;
    ServedVolume& operator=(ServedVolume const&) = delete;
    // Open files tell the volume when they end: they go first.
    ~ServedVolume() { objects.drop_all(); }

    Guarded<Volume> volume;
    ObjectServer& objects;
    BlockReader& device; // used with the volume locked
    WaitingSyncs syncs; // the same
};

// FileType::unknown becomes a regular file.
FileKind kind_of(FileType type);
// Times beyond what nanoseconds in 64 bits can say (year 2262) become the last one.
FileStatus status_of(Volume const& volume, Inode const& inode);
VolumeStatus status_of(Volume const& volume);

} // namespace gemel::ext4
