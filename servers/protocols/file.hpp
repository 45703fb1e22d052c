// One open file. The capability is the open file, so no request carries a number to forge. Files of
// disks, memory, devices, pipes and terminals speak this.
#pragma once

#include "servers/protocols/file_attributes.hpp"
#include "servers/protocols/file_status.hpp"
#include "servers/rt/protocol.hpp"

namespace gemel {

// All spans lie in the region that the file was opened or attached with; without one -> invalid.
// The file is closed when every capability to it is closed.
struct File {
    static constexpr std::string_view name = "file";

    // Fills `span` from `offset` in bytes (files that cannot seek ignore it). A short reply means
    // end of file, and 0 bytes at the end; a terminal or pipe gives what there is, and waits if
    // there is nothing. Not opened for reading -> no_rights; a directory -> is_directory.
    struct Read {
        u64 offset = 0;
        Span span;
        struct Reply {
            u32 bytes = 0;
        };
    };

    // Durable only after a later Sync returns. A short reply: the rest has no space; no space for a
    // single byte -> no_space. Not opened for writing -> no_rights.
    struct Write {
        u64 offset = 0;
        Span span;
        struct Reply {
            u32 bytes = 0;
        };
    };

    // Ends the open file for everybody who holds it: later requests answer dead.
    struct Close {
        struct Reply { };
    };

    // Errors of writing that came earlier are told here, once.
    struct Sync {
        SyncKind kind = SyncKind::all;
        struct Reply { };
    };

    // `answer` receives a FileStatus.
    struct Stat {
        Span answer;
        struct Reply { };
    };

    // Cuts the file, or grows it with zeros.
    struct Resize {
        u64 size = 0;
        struct Reply { };
    };

    // Another capability to the same open file, for the same rights, that moves bytes through
    // `region` (read and write). What a program does with a file it was handed.
    struct Attach {
        Handle region;
        struct Reply {
            Handle file;
        };
    };

    // `attributes` holds a FileAttributes. A size needs the file opened for writing (no_rights).
    struct SetAttributes {
        Span attributes;
        struct Reply { };
    };

    // Not opened for writing -> no_rights; no bytes -> invalid. A failed grow may leave blocks that
    // read as zeros.
    struct Allocate {
        u64 offset = 0;
        u64 bytes = 0;
        AllocateKind kind = AllocateKind::grow;
        struct Reply { };
    };

    // From the end on, and for data when only a hole is left -> not_found.
    struct Seek {
        u64 offset = 0;
        SeekKind kind = SeekKind::data;
        struct Reply {
            u64 offset = 0;
        };
    };

    // Extended attributes, as in Directory: also of a file that has lost its name.
    struct GetExtended {
        Span attribute;
        Span answer;
        struct Reply {
            u32 bytes = 0;
        };
    };

    struct SetExtended {
        Span attribute;
        Span value;
        ExtendedMode mode = ExtendedMode::set;
        struct Reply { };
    };

    struct ListExtended {
        Span answer;
        struct Reply {
            u32 bytes = 0;
        };
    };

    struct RemoveExtended {
        Span attribute;
        struct Reply { };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<
        Message<2, "read", Read, Fields<"offset", "span">, Fields<"bytes">>,
        Message<3, "write", Write, Fields<"offset", "span">, Fields<"bytes">>,
        Message<4, "close", Close, Fields<>, Fields<>>,
        Message<16, "sync", Sync, Fields<"kind">, Fields<>>,
        Message<17, "stat", Stat, Fields<"answer">, Fields<>>,
        Message<18, "resize", Resize, Fields<"size">, Fields<>>,
        Message<19, "attach", Attach, Fields<"region">, Fields<"file">>,
        Message<20, "set_attributes", SetAttributes, Fields<"attributes">, Fields<>>,
        Message<21, "allocate", Allocate, Fields<"offset", "bytes", "kind">, Fields<>>,
        Message<22, "seek", Seek, Fields<"offset", "kind">, Fields<"offset">>,
        Message<23, "get_extended", GetExtended, Fields<"attribute", "answer">, Fields<"bytes">>,
        Message<24, "set_extended", SetExtended, Fields<"attribute", "value", "mode">, Fields<>>,
        Message<25, "list_extended", ListExtended, Fields<"answer">, Fields<"bytes">>,
        Message<26, "remove_extended", RemoveExtended, Fields<"attribute">, Fields<>>>;
};

} // namespace gemel

namespace gemel::protocol {
using gemel::File;
} // namespace gemel::protocol
