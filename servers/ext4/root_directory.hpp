// The volume's root directory: the capability that the vfs mounts.
#pragma once

#include "servers/ext4/resolve.hpp"
#include "servers/ext4/served_volume.hpp"
#include "servers/protocols/refused.hpp"
#include "servers/rt/session_memory.hpp"

namespace gemel::ext4 {

class RootDirectory
    : public Refused<Directory::Link, Directory::MakeNode, Directory::SetAttributes,
          Directory::ReaddirStatus, Directory::Sync, Directory::GetExtended, Directory::SetExtended,
          Directory::ListExtended, Directory::RemoveExtended> {
public:
    using Refused::on;

    // `region` holds paths and answers; without one only Attach is served.
    RootDirectory(ServedVolume& served, SessionMemory region)
        : served_(served)
        , region_(std::move(region))
    {
    }

    Result<Directory::Attach::Reply> on(Directory::Attach request);
    Result<Directory::Extend::Reply> on(Directory::Extend request);
    Result<Directory::Open::Reply> on(Directory::Open request);
    Result<Directory::Stat::Reply> on(Directory::Stat const& request);
    Result<Directory::Readdir::Reply> on(Directory::Readdir const& request);
    Result<Directory::Readlink::Reply> on(Directory::Readlink const& request);
    Result<Directory::Statfs::Reply> on(Directory::Statfs const& request);
    Result<Directory::Mkdir::Reply> on(Directory::Mkdir const& request);
    Result<Directory::Unlink::Reply> on(Directory::Unlink const& request);
    Result<Directory::Rename::Reply> on(Directory::Rename const& request);
    Result<Directory::Symlink::Reply> on(Directory::Symlink const& request);
    Result<Directory::ShowMounts::Reply> on(Directory::ShowMounts request);

private:
    Result<std::string> path_at(Span span) const;
    // Answers with the link that stopped the walk.
    template <typename Reply>
    Result<Reply> link_reply(LinkMet const& met, Span answer) const;
    Result<Directory::Open::Reply> open_inode(Inode inode, OpenFlags flags, Handle region);
    // What a request that would make `path` gets on a volume that is never written.
    template <typename Reply>
    Result<Reply> refuse_new(Span path, Span answer);
    // The same for a request that would take `path` away.
    template <typename Reply>
    Result<Reply> refuse_removal(Span path, Span answer);
    Result<std::variant<std::monostate, LinkMet>> check_parent(std::string_view path);

    ServedVolume& served_;
    SessionMemory region_;
};

} // namespace gemel::ext4
