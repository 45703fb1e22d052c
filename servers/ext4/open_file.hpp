// One open file of the volume.
#pragma once

#include "servers/ext4/read_ahead.hpp"
#include "servers/ext4/served_volume.hpp"
#include "servers/protocols/directory.hpp"
#include "servers/protocols/file.hpp"
#include "servers/rt/session_memory.hpp"

#include <atomic>

namespace gemel::ext4 {

// What every capability to one opening shares.
struct Opening {
    // The volume was told that `opened` is open.
    Opening(ServedVolume& volume, u32 opened, OpenFlags wanted)
        : served(volume)
        , inode(opened)
        , flags(wanted)
    {
    }
    Opening(Opening const&) = delete;
    Opening& operator=(Opening const&) = delete;
    // Takes the volume's lock.
    ~Opening() { close(); }
    void close();

    ServedVolume& served;
    u32 const inode;
    OpenFlags const flags;
    ReadAhead read_ahead {}; // used with the volume locked
    std::atomic<bool> closed { false };
};

class OpenFile {
public:
    // `region` may be empty: then the file serves after Attach only.
    OpenFile(ServedVolume& served, Ref<Opening> opening, SessionMemory region)
        : served_(served)
        , opening_(std::move(opening))
        , region_(std::move(region))
    {
    }

    Result<File::Read::Reply> on(File::Read const& request);
    Result<File::Write::Reply> on(File::Write const& request);
    Result<File::Close::Reply> on(File::Close const& request);
    void on(File::Sync const& request, WaitingSyncs::OfFile asker);
    Result<File::Stat::Reply> on(File::Stat const& request);
    Result<File::Resize::Reply> on(File::Resize const& request);
    Result<File::Attach::Reply> on(File::Attach request);
    Result<File::SetAttributes::Reply> on(File::SetAttributes const& request);
    Result<File::Allocate::Reply> on(File::Allocate const& request);
    Result<File::Seek::Reply> on(File::Seek const& request);
    Result<File::GetExtended::Reply> on(File::GetExtended const& request);
    Result<File::SetExtended::Reply> on(File::SetExtended const& request);
    Result<File::ListExtended::Reply> on(File::ListExtended const& request);
    Result<File::RemoveExtended::Reply> on(File::RemoveExtended const& request);

private:
    Result<void> check_open() const;
    // The writer of a file that was opened for writing.
    Result<VolumeWriter*> writer_of(Volume const& volume) const;

    ServedVolume& served_;
    Ref<Opening> opening_;
    SessionMemory region_;
};

} // namespace gemel::ext4
