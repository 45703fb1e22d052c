// The one name space. A capability to the vfs is a session: it has its own region for paths and
// answers, its own bound on open files, and is what one program holds. Names go through here; data
// does not: Open returns a File capability that the file system made.
#pragma once

#include "servers/protocols/directory.hpp"

namespace gemel {

inline constexpr u32 vfs_open_files_default = 32;
inline constexpr u32 vfs_open_files_max = 1024;

// Paths are absolute, at most 4,095 bytes, components at most 255; every byte but NUL may stand in
// them; "//", "/./", "a/../b" and a trailing '/' mean what POSIX says, and ".." leaves the
// directory really reached. All spans lie in the session's region (Attach).
//
// Errors that all share: invalid (not absolute, a NUL, a span outside the region), name_too_long,
// not_found, not_directory, symlink_loop (more than 40), read_only, busy (a mount point), dead or
// unavailable (the file system's server ended and is not back yet), timed_out (it does not answer).
struct Vfs {
    static constexpr std::string_view name = "vfs";

    // With `files_max` 0 another session of the same program: a region of its own, one bound on
    // open files together. Otherwise a session for another program, with at most `files_max` files
    // open at once (over vfs_open_files_max -> too_big); only services can make such a one (init
    // gives them the right), a program's session makes a further one of its own, so that nobody
    // gets past its bound. From the capability that init holds, 0 means the default, 32.
    struct Session {
        u32 files_max = 0;
        struct Reply {
            Handle vfs;
        };
    };

    // The session's region, read and write; replaces the one it had. Before any other request.
    struct Attach {
        Handle region;
        struct Reply { };
    };

    // The file moves bytes through `region`; left out: through the session's. A file counts as open
    // until every capability to it is closed. Over the session's bound -> too_many_open.
    struct Open {
        Span path;
        OpenFlags flags = 0;
        u16 mode = 0;
        Handle region;
        Owner owner;
        struct Reply {
            FileKind kind = FileKind::regular;
            u64 size = 0;
            Handle file;
        };
    };

    struct Mkdir {
        Span path;
        u16 mode = 0;
        Owner owner;
        struct Reply { };
    };

    // As Directory::Readdir. Mount points are listed too, also where the file system below has no
    // such directory.
    struct Readdir {
        Span path;
        u64 cookie = 0;
        Span answer;
        struct Reply {
            u32 bytes = 0;
        };
    };

    // `answer` receives a FileStatus.
    struct Stat {
        Span path;
        LastLink last = LastLink::follow;
        Span answer;
        struct Reply { };
    };

    struct Unlink {
        Span path;
        RemoveKind kind = RemoveKind::file;
        struct Reply { };
    };

    // Over a mount's border -> cross_device.
    struct Rename {
        Span from;
        Span to;
        RenameMode mode = RenameMode::replace;
        struct Reply { };
    };

    // These are as in Directory. Link: over a mount's border -> cross_device.
    struct Link {
        Span from;
        Span to;
        struct Reply { };
    };

    struct MakeNode {
        Span path;
        FileKind kind = FileKind::pipe;
        u16 mode = 0;
        u64 device = 0;
        Owner owner;
        struct Reply { };
    };

    struct SetAttributes {
        Span path;
        LastLink last = LastLink::follow;
        Span attributes;
        struct Reply { };
    };

    // As Directory::ReaddirStatus, with the mount points that Readdir lists. A directory of the
    // file system below that something is mounted on has its own status here, not that of the
    // mount.
    struct ReaddirStatus {
        Span path;
        u64 cookie = 0;
        Span answer;
        struct Reply {
            u32 bytes = 0;
        };
    };

    // Scope volume: the whole file system that holds `path`.
    struct Sync {
        Span path;
        SyncScope scope = SyncScope::volume;
        struct Reply { };
    };

    struct GetExtended {
        Span path;
        LastLink last = LastLink::follow;
        Span attribute;
        Span answer;
        struct Reply {
            u32 bytes = 0;
        };
    };

    struct SetExtended {
        Span path;
        LastLink last = LastLink::follow;
        Span attribute;
        Span value;
        ExtendedMode mode = ExtendedMode::set;
        struct Reply { };
    };

    struct ListExtended {
        Span path;
        LastLink last = LastLink::follow;
        Span answer;
        struct Reply {
            u32 bytes = 0;
        };
    };

    struct RemoveExtended {
        Span path;
        LastLink last = LastLink::follow;
        Span attribute;
        struct Reply { };
    };

    // `answer` receives the text of the symlink.
    struct Readlink {
        Span path;
        Span answer;
        struct Reply {
            u32 bytes = 0;
        };
    };

    struct Symlink {
        Span path;
        Span text;
        Owner owner;
        struct Reply { };
    };

    // `answer` receives the VolumeStatus of the file system that holds `path`.
    struct Statfs {
        Span path;
        Span answer;
        struct Reply { };
    };

    // Checks the file system that holds `path`: see Directory::Fsck.
    struct Fsck {
        Span path;
        Span answer;
        struct Reply {
            u32 problems = 0;
            u32 bytes = 0;
        };
    };

    // Tells the device of the file system that holds `path` what is free: see Directory::Trim.
    struct Trim {
        Span path;
        struct Reply {
            u64 bytes = 0;
        };
    };

    // The real path of what is at `path`: no symlink, "." or ".." in it. What `cd` needs.
    struct Resolve {
        Span path;
        Span answer;
        struct Reply {
            u32 bytes = 0;
            FileKind kind = FileKind::regular;
        };
    };

    // `answer` receives one line for each mount, "source path type ro\n" or "... rw\n"; a space,
    // tab, newline or backslash in a path is written \040, \011, \012, \134.
    struct Mounts {
        Span answer;
        struct Reply {
            u32 bytes = 0;
        };
    };

    // `directory` is the root of a file system; `type` as in Mounts. The capability that init holds
    // may, sessions may not (no_rights). `flags`: 1 is read-only.
    struct Mount {
        Span path;
        Text<16> type;
        u32 flags = 0;
        Handle directory;
        struct Reply { };
    };

    struct Unmount {
        Span path;
        struct Reply { };
    };

    using Messages
        = MessageList<Message<1, "open", Open, Fields<"path", "flags", "mode", "region", "owner">,
                          Fields<"kind", "size", "file">>,
            Message<5, "mkdir", Mkdir, Fields<"path", "mode", "owner">, Fields<>>,
            Message<6, "readdir", Readdir, Fields<"path", "cookie", "answer">, Fields<"bytes">>,
            Message<7, "stat", Stat, Fields<"path", "last", "answer">, Fields<>>,
            Message<8, "unlink", Unlink, Fields<"path", "kind">, Fields<>>,
            Message<9, "rename", Rename, Fields<"from", "to", "mode">, Fields<>>,
            Message<16, "attach", Attach, Fields<"region">, Fields<>>,
            Message<17, "session", Session, Fields<"files_max">, Fields<"vfs">>,
            Message<18, "readlink", Readlink, Fields<"path", "answer">, Fields<"bytes">>,
            Message<19, "symlink", Symlink, Fields<"path", "text", "owner">, Fields<>>,
            Message<20, "statfs", Statfs, Fields<"path", "answer">, Fields<>>,
            Message<21, "resolve", Resolve, Fields<"path", "answer">, Fields<"bytes", "kind">>,
            Message<22, "mounts", Mounts, Fields<"answer">, Fields<"bytes">>,
            Message<23, "mount", Mount, Fields<"path", "type", "flags", "directory">, Fields<>>,
            Message<24, "unmount", Unmount, Fields<"path">, Fields<>>,
            Message<26, "link", Link, Fields<"from", "to">, Fields<>>,
            Message<27, "make_node", MakeNode, Fields<"path", "kind", "mode", "device", "owner">,
                Fields<>>,
            Message<28, "set_attributes", SetAttributes, Fields<"path", "last", "attributes">,
                Fields<>>,
            Message<29, "readdir_status", ReaddirStatus, Fields<"path", "cookie", "answer">,
                Fields<"bytes">>,
            Message<30, "sync", Sync, Fields<"path", "scope">, Fields<>>,
            Message<31, "get_extended", GetExtended, Fields<"path", "last", "attribute", "answer">,
                Fields<"bytes">>,
            Message<32, "set_extended", SetExtended,
                Fields<"path", "last", "attribute", "value", "mode">, Fields<>>,
            Message<33, "list_extended", ListExtended, Fields<"path", "last", "answer">,
                Fields<"bytes">>,
            Message<34, "remove_extended", RemoveExtended, Fields<"path", "last", "attribute">,
                Fields<>>,
            Message<35, "fsck", Fsck, Fields<"path", "answer">, Fields<"problems", "bytes">>,
            Message<36, "trim", Trim, Fields<"path">, Fields<"bytes">>>;
};

} // namespace gemel

namespace gemel::protocol {
using gemel::Vfs;
} // namespace gemel::protocol
