// One program's session: its region, its open files, and the Vfs protocol over the shared mounts.
#pragma once

#include "servers/protocols/vfs.hpp"
#include "servers/vfs/name_space.hpp"
#include "servers/vfs/path_walk.hpp"
#include "servers/vfs/resolve.hpp"
#include "servers/vfs/shown_memory.hpp"

namespace gemel::vfs {

// What a session may do beside reaching files. `mounts`: change them, too; the one behind the
// service's own port. `sessions`: make sessions with bounds of their own; what services get, gsh
// among them. A program that they start has neither.
enum class Authority : u8 { none, sessions, mounts };

// What a listing holds of each entry: DirectoryEntry, or DirectoryEntryStatus.
enum class Listing : u8 { kinds, status };

class Session {
public:
    using Vfs = protocol::Vfs;

    // A program's first session.
    Session(NameSpace& names, Authority authority, u32 files_max);
    // A further one of the same program: they share the bound on open files.
    Session(NameSpace& names, Ref<OpenFiles> files, u64 ledger_bits);
    Session(Session const&) = delete;
    Session& operator=(Session const&) = delete;
    // What it holds open is closed when no session shares it any more.
    ~Session();

    Result<Vfs::Attach::Reply> on(Vfs::Attach request);
    Result<Vfs::Session::Reply> on(Vfs::Session const& request);
    Result<Vfs::Open::Reply> on(Vfs::Open request);
    Result<Vfs::Mkdir::Reply> on(Vfs::Mkdir const& request);
    Result<Vfs::Readdir::Reply> on(Vfs::Readdir const& request);
    Result<Vfs::Stat::Reply> on(Vfs::Stat const& request);
    Result<Vfs::Unlink::Reply> on(Vfs::Unlink const& request);
    Result<Vfs::Rename::Reply> on(Vfs::Rename const& request);
    Result<Vfs::Readlink::Reply> on(Vfs::Readlink const& request);
    Result<Vfs::Symlink::Reply> on(Vfs::Symlink const& request);
    Result<Vfs::Statfs::Reply> on(Vfs::Statfs const& request);
    Result<Vfs::Fsck::Reply> on(Vfs::Fsck const& request);
    Result<Vfs::Trim::Reply> on(Vfs::Trim const& request);
    Result<Vfs::Resolve::Reply> on(Vfs::Resolve const& request);
    Result<Vfs::Mounts::Reply> on(Vfs::Mounts const& request);
    Result<Vfs::Mount::Reply> on(Vfs::Mount request);
    Result<Vfs::Unmount::Reply> on(Vfs::Unmount const& request);
    Result<Vfs::Link::Reply> on(Vfs::Link const& request);
    Result<Vfs::MakeNode::Reply> on(Vfs::MakeNode const& request);
    Result<Vfs::SetAttributes::Reply> on(Vfs::SetAttributes const& request);
    Result<Vfs::ReaddirStatus::Reply> on(Vfs::ReaddirStatus const& request);
    Result<Vfs::Sync::Reply> on(Vfs::Sync const& request);
    Result<Vfs::GetExtended::Reply> on(Vfs::GetExtended const& request);
    Result<Vfs::SetExtended::Reply> on(Vfs::SetExtended const& request);
    Result<Vfs::ListExtended::Reply> on(Vfs::ListExtended const& request);
    Result<Vfs::RemoveExtended::Reply> on(Vfs::RemoveExtended const& request);

private:
    using At = Located<Mount>;

    Result<Ref<SharedRegion>> region();
    // The text of a span, copied: the program may change its region at any time.
    Result<std::string> text_at(Span span);
    Result<PathWalk> walk_at(Span span, LastLink last);
    Result<void> answer(Span span, std::span<std::byte const> bytes);
    // Runs ask(At const&) -> Result<Found<T>> where the path leads.
    template <typename T, typename Ask>
    Result<T> ask_at(PathWalk& walk, Ask ask);
    // What is there; not_directory when the path ends in '/' and it is something else.
    struct Existing {
        FileStatus status;
        std::string path;
    };
    Result<Existing> existing(PathWalk& walk, LastLink last);
    // What a path that ends in "/", "." or ".." answers where a plain name is asked for; see
    // session_endings.cpp.
    Result<FileStatus> status_of_name(PathWalk walk);
    Result<void> check_ending(PathWalk const& walk);
    Error refuse_new_name(PathWalk const& walk);
    Error refuse_removal(PathWalk const& walk, RemoveKind kind);
    Result<void> check_rename_endings(PathWalk const& from, PathWalk const& to, RenameMode mode);
    Result<void> check_name_may_go(std::string_view path);
    Result<Handle> lend(Opened opened);
    // Both names of a rename or link: runs change(from, to) -> Result<optional<PairLink>>.
    template <typename Change>
    Result<void> change_pair(PathWalk from, PathWalk to, Change change);
    // Makes what is to stand at the path: make(at) -> Result<Found<Done>>.
    template <typename Make>
    Result<void> make_at(PathWalk& walk, Make make);
    // An extended attribute's path and name: ask(mount, name) -> Result<Found<T>>.
    template <typename T, typename Request, typename Ask>
    Result<T> at_extended(Request const& request, Ask ask);
    template <typename Request, typename ListBelow>
    Result<u32> list_at(Request const& request, Listing listing, ListBelow list_below);
    Result<Opened> open_at(PathWalk& walk, Vfs::Open const& request, SharedRegion const& own);
    // The file system that holds what is at the path.
    Result<Ref<Mount>> volume_at(Span path);
    Result<std::string> path_to_mount(PathWalk walk);

    NameSpace& names_;
    Authority const authority_;
    bool const owns_ledger_;
    NameSpace::Ledger const ledger_;
    Guarded<std::optional<Ref<SharedRegion>>> region_;
    ShownMemory shown_; // of region_
};

static_assert(Serves<Session, protocol::Vfs>);

// Adds to `entries` the mount points in `directory` that its file system does not list itself; a
// cookie with bit 63 set is a mount's. See listing.cpp.
inline constexpr u64 mount_cookie_bit = u64 { 1 } << 63;
Result<u32> list_mount_points(Mounts const& mounts, Located<Mount> const& directory, u64 cookie,
    Listing listing, std::span<std::byte> into);

} // namespace gemel::vfs
