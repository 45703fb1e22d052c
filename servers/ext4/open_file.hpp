// One open file of the volume.
#pragma once

#include "servers/ext4/served_volume.hpp"
#include "servers/protocols/directory.hpp"
#include "servers/protocols/file.hpp"
#include "servers/protocols/refused.hpp"
#include "servers/rt/session_memory.hpp"

#include <atomic>

namespace gemel::ext4 {

// What every capability to one opening shares.
struct Opening {
    Opening(Inode opened, OpenFlags wanted)
        : inode(std::move(opened))
        , flags(wanted)
    {
    }

    Inode const inode;
    OpenFlags const flags;
    std::atomic<bool> closed { false };
};

class OpenFile : public RefusedFileRequests {
public:
    using RefusedFileRequests::on;

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
    Result<File::Sync::Reply> on(File::Sync const& request);
    Result<File::Stat::Reply> on(File::Stat const& request);
    Result<File::Resize::Reply> on(File::Resize const& request);
    Result<File::Attach::Reply> on(File::Attach request);

private:
    Result<void> check_open() const;

    ServedVolume& served_;
    Ref<Opening> opening_;
    SessionMemory region_;
};

} // namespace gemel::ext4
