// A directory of a file system, as the vfs sees it: the root of a mount. The file system walks the
// names below it. Data does not come this way: Open answers with a File capability.
#pragma once

#include "servers/protocols/file_attributes.hpp"
#include "servers/protocols/file_status.hpp"
#include "servers/protocols/open_flag.hpp"
#include "servers/rt/protocol.hpp"

namespace gemel {

// Paths are relative to the directory: components joined by single '/', without "", "." and "..";
// empty is the directory itself. All spans lie in the region given by Attach.
//
// A file system follows no symlink, because only the vfs knows what is mounted where it leads. It
// stops at the first one that is not in last place, or that is and would be followed, puts its text
// into `answer` and replies `link_bytes` > 0 and `link_component`, its place in the path (0 first);
// nothing was changed then. With `link_bytes` 0 the request was carried out.
//
// Errors that all share: not_found, not_directory (a component on the way), name_too_long,
// read_only, io, corrupt (what is on the disk), invalid (a span outside the region).
struct Directory {
    static constexpr std::string_view name = "directory";

    // A capability to the same directory whose requests use `region` (read and write).
    struct Attach {
        Handle region;
        struct Reply {
            Handle directory;
        };
    };

    // Adds `region` (read and write) to the session's memory, for a client that moves more than one
    // region holds: its bytes are at `offset` and on. Only the last of a session's regions may be
    // shorter than region_bytes_max (invalid); too many -> too_big.
    struct Extend {
        Handle region;
        struct Reply {
            u32 offset = 0;
        };
    };

    // `region` is what the file's reads and writes move bytes through (read and write; left out:
    // the session's own memory with OpenFlag::session_memory, else the file can be used after
    // File::Attach only). `mode` and `owner` are for a file that is made. A
    // directory with write, create or truncate -> is_directory.
    struct Open {
        Span path;
        OpenFlags flags = 0;
        u16 mode = 0;
        Span answer;
        Handle region;
        Owner owner;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            FileKind kind = FileKind::regular;
            u64 size = 0;
            u32 status_bytes = 0;
            Handle file;
        };
    };

    // `answer` receives a FileStatus.
    struct Stat {
        Span path;
        LastLink last = LastLink::follow;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
        };
    };

    // `answer` receives DirectoryEntry records that come after `cookie` (0: from the start). 0
    // bytes: the end. A listing that goes on while the directory changes gives each entry that
    // stays exactly once. An answer too small for one entry -> too_big.
    struct Readdir {
        Span path;
        u64 cookie = 0;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 bytes = 0;
        };
    };

    // `answer` receives the text of the symlink at `path`; anything else there -> invalid.
    struct Readlink {
        Span path;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 bytes = 0;
        };
    };

    struct Mkdir {
        Span path;
        u16 mode = 0;
        Span answer;
        Owner owner;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 status_bytes = 0;
        };
    };

    // Kind file at a directory -> is_directory, and the other way round -> not_directory.
    struct Unlink {
        Span path;
        RemoveKind kind = RemoveKind::file;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
        };
    };

    // What is at `to` is replaced, if POSIX rename() would. Into its own subtree -> invalid.
    // `link_in` says which path the symlink stood in: 0 from, 1 to.
    struct Rename {
        Span from;
        Span to;
        Span answer;
        RenameMode mode = RenameMode::replace;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 link_in = 0;
        };
    };

    // Another name for the file at `from`, a symlink there included; a directory -> no_rights. Over
    // the file system's bound on names -> too_many_links. `link_in` as in Rename.
    struct Link {
        Span from;
        Span to;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 link_in = 0;
            u32 status_bytes = 0;
        };
    };

    // A pipe, socket, device or empty regular file (other kinds -> invalid). `device` is a device's
    // number, major in the upper half.
    struct MakeNode {
        Span path;
        FileKind kind = FileKind::pipe;
        u16 mode = 0;
        u64 device = 0;
        Span answer;
        Owner owner;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 status_bytes = 0;
        };
    };

    // `attributes` holds a FileAttributes.
    struct SetAttributes {
        Span path;
        LastLink last = LastLink::follow;
        Span attributes;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 status_bytes = 0;
        };
    };

    // As Readdir, with DirectoryEntryStatus records.
    struct ReaddirStatus {
        Span path;
        u64 cookie = 0;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 bytes = 0;
        };
    };

    // What was done before is durable when this answers.
    struct Sync {
        Span path;
        SyncScope scope = SyncScope::volume;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
        };
    };

    // For who holds the server's own port, when the machine ends: all is durable and the volume
    // clean; later changes answer read_only. Others -> no_rights. Memory trees: unsupported.
    struct Unmount {
        struct Reply { };
    };

    // Extended attributes. Names are whole ("user.x"), 1 to 255 bytes. `answer` receives the value;
    // too small for it -> too_big. Not there -> no_attribute.
    struct GetExtended {
        Span path;
        LastLink last = LastLink::follow;
        Span attribute;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 bytes = 0;
        };
    };

    // No room for it -> no_space; a name space that the file system does not have -> unsupported.
    struct SetExtended {
        Span path;
        LastLink last = LastLink::follow;
        Span attribute;
        Span value;
        ExtendedMode mode = ExtendedMode::set;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
        };
    };

    // `answer` receives the names, each with a NUL after it.
    struct ListExtended {
        Span path;
        LastLink last = LastLink::follow;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 bytes = 0;
        };
    };

    struct RemoveExtended {
        Span path;
        LastLink last = LastLink::follow;
        Span attribute;
        Span answer;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
        };
    };

    struct Symlink {
        Span path;
        Span text; // 1 to 4095 bytes
        Span answer;
        Owner owner;
        struct Reply {
            u32 link_bytes = 0;
            u32 link_component = 0;
            u32 status_bytes = 0;
        };
    };

    // `answer` receives a VolumeStatus.
    struct Statfs {
        Span answer;
        struct Reply { };
    };

    // Looks the whole file system over, which takes its time; nothing is repaired. `answer`
    // receives a line for each problem, as many as fit. Trees without a disk: unsupported.
    struct Fsck {
        Span answer;
        struct Reply {
            u32 problems = 0;
            u32 bytes = 0;
        };
    };

    // Tells the device which blocks hold nothing: free runs of at least `bytes_min` that lie in
    // `bytes` from `offset` of the volume. Everything is durable first. Answers the bytes. A device
    // that cannot be told, a tree without one: unsupported.
    struct Trim {
        u64 offset = 0;
        u64 bytes = ~0ull;
        u64 bytes_min = 0;
        struct Reply {
            u64 bytes = 0;
        };
    };

    // A page, read-only, in which the vfs keeps its list of mounts (servers/fskit/mounts_page.hpp).
    // Only procfs wants it; others answer unsupported.
    struct ShowMounts {
        Handle region;
        struct Reply { };
    };

    using Messages = MessageList<
        Message<1, "open", Open, Fields<"path", "flags", "mode", "answer", "region", "owner">,
            Fields<"link_bytes", "link_component", "kind", "size", "status_bytes", "file">>,
        Message<4, "fsck", Fsck, Fields<"answer">, Fields<"problems", "bytes">>,
        Message<5, "mkdir", Mkdir, Fields<"path", "mode", "answer", "owner">,
            Fields<"link_bytes", "link_component", "status_bytes">>,
        Message<6, "readdir", Readdir, Fields<"path", "cookie", "answer">,
            Fields<"link_bytes", "link_component", "bytes">>,
        Message<7, "stat", Stat, Fields<"path", "last", "answer">,
            Fields<"link_bytes", "link_component">>,
        Message<8, "unlink", Unlink, Fields<"path", "kind", "answer">,
            Fields<"link_bytes", "link_component">>,
        Message<9, "rename", Rename, Fields<"from", "to", "answer", "mode">,
            Fields<"link_bytes", "link_component", "link_in">>,
        Message<16, "attach", Attach, Fields<"region">, Fields<"directory">>,
        Message<18, "readlink", Readlink, Fields<"path", "answer">,
            Fields<"link_bytes", "link_component", "bytes">>,
        Message<19, "symlink", Symlink, Fields<"path", "text", "answer", "owner">,
            Fields<"link_bytes", "link_component", "status_bytes">>,
        Message<20, "statfs", Statfs, Fields<"answer">, Fields<>>,
        Message<25, "show_mounts", ShowMounts, Fields<"region">, Fields<>>,
        Message<26, "link", Link, Fields<"from", "to", "answer">,
            Fields<"link_bytes", "link_component", "link_in", "status_bytes">>,
        Message<27, "make_node", MakeNode,
            Fields<"path", "kind", "mode", "device", "answer", "owner">,
            Fields<"link_bytes", "link_component", "status_bytes">>,
        Message<28, "set_attributes", SetAttributes, Fields<"path", "last", "attributes", "answer">,
            Fields<"link_bytes", "link_component", "status_bytes">>,
        Message<29, "readdir_status", ReaddirStatus, Fields<"path", "cookie", "answer">,
            Fields<"link_bytes", "link_component", "bytes">>,
        Message<30, "sync", Sync, Fields<"path", "scope", "answer">,
            Fields<"link_bytes", "link_component">>,
        Message<31, "get_extended", GetExtended, Fields<"path", "last", "attribute", "answer">,
            Fields<"link_bytes", "link_component", "bytes">>,
        Message<32, "set_extended", SetExtended,
            Fields<"path", "last", "attribute", "value", "mode", "answer">,
            Fields<"link_bytes", "link_component">>,
        Message<33, "list_extended", ListExtended, Fields<"path", "last", "answer">,
            Fields<"link_bytes", "link_component", "bytes">>,
        Message<34, "remove_extended", RemoveExtended,
            Fields<"path", "last", "attribute", "answer">, Fields<"link_bytes", "link_component">>,
        Message<35, "unmount", Unmount, Fields<>, Fields<>>,
        Message<36, "trim", Trim, Fields<"offset", "bytes", "bytes_min">, Fields<"bytes">>,
        Message<40, "extend", Extend, Fields<"region">, Fields<"offset">>>;
};

} // namespace gemel

namespace gemel::protocol {
using gemel::Directory;
} // namespace gemel::protocol
