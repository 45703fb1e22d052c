// The volume's root directory: the capability that the vfs mounts.
#pragma once

#include "servers/ext4/resolve.hpp"
#include "servers/ext4/served_volume.hpp"
#include "servers/rt/session_memory.hpp"

#include <cstring>

namespace gemel::ext4 {

// Where a name stands or is to stand: a directory's inode, and the name in it.
struct NamePlace {
    Inode directory;
    std::string_view name; // points into the path; "" for the root itself
};

class RootDirectory {
public:
    // `region` holds paths and answers; without one only Attach is served.
    RootDirectory(ServedVolume& served, SessionMemory region)
        : served_(served)
        , region_(std::move(region))
    {
    }
    // What init holds: it may unmount.
    explicit RootDirectory(ServedVolume& served)
        : served_(served)
        , is_root_(true)
    {
    }

    Result<Directory::Attach::Reply> on(Directory::Attach request);
    Result<Directory::Extend::Reply> on(Directory::Extend request);
    Result<Directory::Open::Reply> on(Directory::Open request);
    Result<Directory::Stat::Reply> on(Directory::Stat const& request);
    Result<Directory::Readdir::Reply> on(Directory::Readdir const& request);
    Result<Directory::Readlink::Reply> on(Directory::Readlink const& request);
    Result<Directory::Statfs::Reply> on(Directory::Statfs const& request);
    Result<Directory::Fsck::Reply> on(Directory::Fsck const& request);
    Result<Directory::Trim::Reply> on(Directory::Trim const& request);
    Result<Directory::Mkdir::Reply> on(Directory::Mkdir const& request);
    Result<Directory::Unlink::Reply> on(Directory::Unlink const& request);
    Result<Directory::Rename::Reply> on(Directory::Rename const& request);
    Result<Directory::Symlink::Reply> on(Directory::Symlink const& request);
    Result<Directory::ShowMounts::Reply> on(Directory::ShowMounts request);
    Result<Directory::Link::Reply> on(Directory::Link const& request);
    Result<Directory::MakeNode::Reply> on(Directory::MakeNode const& request);
    Result<Directory::SetAttributes::Reply> on(Directory::SetAttributes const& request);
    Result<Directory::ReaddirStatus::Reply> on(Directory::ReaddirStatus const& request);
    void on(Directory::Sync const& request, WaitingSyncs::OfDirectory asker);
    Result<Directory::Unmount::Reply> on(Directory::Unmount const& request);
    Result<Directory::GetExtended::Reply> on(Directory::GetExtended const& request);
    Result<Directory::SetExtended::Reply> on(Directory::SetExtended const& request);
    Result<Directory::ListExtended::Reply> on(Directory::ListExtended const& request);
    Result<Directory::RemoveExtended::Reply> on(Directory::RemoveExtended const& request);

private:
    Result<std::string> path_at(Span span) const;
    // The answer to a sync that can be given at once: a link on the way, nothing to be written; or
    // none.
    Result<std::optional<Directory::Sync::Reply>> before_sync(
        Volume& volume, Directory::Sync const& request);
    // Answers with the link that stopped the walk.
    template <typename Reply>
    Result<Reply> link_reply(LinkMet const& met, Span answer) const;
    Result<Directory::Open::Reply> open_inode(
        Volume& volume, Inode const& inode, Directory::Open& request);
    // Runs change(volume, place) -> Result<Reply> where `path` has its last name.
    template <typename Reply, typename Change>
    Result<Reply> at_name(Span path, Span answer, Change change);
    // Makes what is to stand at the path; on a read-only volume exists comes before read_only.
    template <typename Request>
    Result<typename Request::Reply> make(Request const& request, NewFile const& file);
    // Runs change(volume, from, to) -> Result<Reply>, two places.
    template <typename Request, typename Change>
    Result<typename Request::Reply> at_two_names(Request const& request, Change change);
    // Tells what was made or changed; what it put there, 0 where it could not.
    u32 put_status(Volume& volume, u32 inode, Span answer) const;
    template <typename Request>
    Result<typename Request::Reply> list(Request const& request);
    // Runs work(volume, inode) -> Result<Reply> for what is at the request's path.
    template <typename Request, typename Work>
    Result<typename Request::Reply> at_inode(Request const& request, Work work);
    // What a file is read and written through: the region, or what the session has.
    Result<SessionMemory> memory_for(OpenFlags flags, Handle region) const;
    Result<Handle> publish(u32 inode, OpenFlags flags, SessionMemory memory);

    ServedVolume& served_;
    SessionMemory region_;
    bool const is_root_ = false;
};

template <typename Reply>
Result<Reply> RootDirectory::link_reply(LinkMet const& met, Span answer) const
{
    auto const target = TRY(region_.at(answer));
    if (target.size() < met.text.size())
        return Error::too_big;
    std::memcpy(target.data(), met.text.data(), met.text.size());
    Reply reply {};
    reply.link_bytes = static_cast<u32>(met.text.size());
    reply.link_component = met.component;
    return reply;
}

} // namespace gemel::ext4
