// A mounted file system from the vfs's side: how it is asked. Requests go through slots of a region
// that the vfs shares with the file system, one for each thread that may ask at a time.
#pragma once

#include "servers/fskit/node_tree.hpp"
#include "servers/protocols/directory.hpp"
#include "servers/protocols/file.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/lock.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"

#include <atomic>
#include <variant>
#include <vector>

namespace gemel::vfs {

inline constexpr u32 serve_threads = 8;
inline constexpr u64 request_deadline_ms = 30'000; // a file system that takes longer: timed_out
inline constexpr u64 connect_deadline_ms = 2'000;
inline constexpr usize abandoned_max
    = 4; // after as many timeouts nobody asks any more: unavailable

// What was asked for, or the symlink that stands in its way.
template <typename T>
using Found = std::variant<T, fskit::LinkMet>;

struct Done { };

struct Opened {
    FileKind kind = FileKind::regular;
    u64 size = 0;
    Handle file;
};

// A file that is made.
struct Made {
    u16 mode = 0;
    Owner owner;
    FileKind kind = FileKind::regular; // of MakeNode
    u64 device = 0;
};

// An extended attribute, by the file that has it.
struct ExtendedName {
    std::string_view path;
    LastLink last = LastLink::follow;
    std::string_view attribute;
};

struct MountOptions {
    u64 id = 0; // never used again
    std::string path; // absolute, real
    std::string type;
    bool read_only = false;
};

class Mount {
public:
    // `mounts_page` (fskit/mounts_page.hpp) is shown to the file system; it outlives the mount.
    Mount(MountOptions options, Client<protocol::Directory> root, SharedRegion const& mounts_page);

    std::string const path;
    std::string const type;
    u64 const id;
    bool read_only; // set before the mount is published

    // Greets the file system; needed before nothing else, which does it too. unavailable: no
    // answer.
    Result<void> connect();

    // Names are relative to the mount's root. What changes something on a read-only mount ->
    // read_only. A server that ended -> dead for the requests it had, then unavailable until it is
    // mounted again.
    Result<Found<FileKind>> probe(std::string_view name);
    Result<Found<FileStatus>> stat(std::string_view name, LastLink last);
    // `region` may be empty; the file system gets a capability derived from it.
    Result<Found<Opened>> open(
        std::string_view name, OpenFlags flags, Made const& made, Handle const& region);
    // Shows it a session's memory, which it keeps mapped as long as the answer is held.
    Result<Client<protocol::Directory>> show(Handle const& region);
    // Bytes of DirectoryEntry records put into `into`; with status, DirectoryEntryStatus records.
    Result<Found<u32>> readdir(std::string_view name, u64 cookie, std::span<std::byte> into);
    Result<Found<u32>> readdir_status(std::string_view name, u64 cookie, std::span<std::byte> into);
    Result<Found<std::string>> readlink(std::string_view name);
    Result<Found<Done>> mkdir(std::string_view name, Made const& made);
    Result<Found<Done>> make_node(std::string_view name, Made const& made);
    Result<Found<Done>> unlink(std::string_view name, RemoveKind kind);
    Result<Found<Done>> symlink(std::string_view name, std::string_view text, Owner owner);
    Result<Found<Done>> set_attributes(
        std::string_view name, LastLink last, FileAttributes const& attributes);
    Result<Found<Done>> sync(std::string_view name, SyncScope scope);
    Result<Found<std::string>> get_extended(ExtendedName const& name);
    Result<Found<std::string>> list_extended(std::string_view name, LastLink last);
    Result<Found<Done>> set_extended(
        ExtendedName const& name, std::string_view value, ExtendedMode mode);
    Result<Found<Done>> remove_extended(ExtendedName const& name);
    // A symlink met, and in which path.
    struct PairLink {
        fskit::LinkMet link;
        bool in_to = false;
    };
    Result<std::optional<PairLink>> rename(
        std::string_view from, std::string_view to, RenameMode mode);
    Result<std::optional<PairLink>> link(std::string_view from, std::string_view to);
    Result<VolumeStatus> statfs();
    struct Checked {
        u32 problems;
        std::string lines;
    };
    Result<Checked> fsck();
    Result<u64> trim(); // all of it; the bytes that are free

private:
    struct Connection {
        Client<protocol::Directory> directory;
        SharedRegion region;
        std::atomic<u32> slots_used { 0 };
    };
    class Slot;

    Result<Ref<Connection>> connection();
    void drop(Ref<Connection> const& broken, Error why);
    Result<Slot> slot();
    Result<void> check_writable() const;
    Result<std::optional<fskit::LinkMet>> refuse_changes(std::string_view name, OpenFlags flags);
    // Sends make(slot) and gives take(reply, slot), or the symlink of the reply.
    template <typename T, typename Make, typename Take>
    Result<Found<T>> ask(Make make, Take take);
    // The same for what only changes something: refused on a read-only mount.
    template <typename Make>
    Result<Found<Done>> change(Make make);
    template <typename Request>
    Result<Found<u32>> list(std::string_view name, u64 cookie, std::span<std::byte> into);
    template <typename Make>
    Result<std::optional<PairLink>> change_pair(Make make);

    Client<protocol::Directory> root_;
    SharedRegion const& mounts_page_;
    struct Connections {
        std::optional<Ref<Connection>> current;
        // Where an answer may still be on its way: their memory must stay.
        std::vector<Ref<Connection>> abandoned;
    };
    Guarded<Connections> connections_;
};

} // namespace gemel::vfs
