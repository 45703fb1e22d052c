// The pager: memory that is there when it is touched. A program opens a session with the capability
// to its own task, which init gives to whoever is given a pager, and is answered the places of its
// regions; from then on it simply uses them (docs/pager.md).
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

enum class MapKind : u8 {
    zero = 0, // zeros, until written
    file = 1, // a private copy of a file's bytes, read when touched; writes do not reach the file
};

// One program's session. Its regions end with the last capability to it. All addresses are in the
// program's own space; a region is named by its first.
struct PagedMemory {
    static constexpr std::string_view name = "paged-memory";

    // `bytes` is rounded up to pages. None, an offset that is no multiple of a page, a file where
    // none belongs or none where one does -> invalid; more than there are addresses, or a region
    // too many -> too_big. A file may be opened anywhere; what lies behind the page of its last
    // byte cannot be mapped (invalid). What opening it again says.
    struct Map {
        MapKind kind = MapKind::zero;
        u64 bytes = 0;
        u64 offset = 0; // of the file
        Handle file;
        struct Reply {
            u64 address = 0;
        };
    };

    // The same contents at another place; pages are shared until one side writes. not_found: no
    // region begins there. quota: the pager has no memory for the new tables.
    struct Snapshot {
        u64 address = 0;
        struct Reply {
            u64 address = 0;
        };
    };

    // not_found: no region begins there.
    struct Unmap {
        u64 address = 0;
        struct Reply { };
    };

    // What the session costs: pages of memory, tables included.
    struct Usage {
        struct Reply {
            u32 regions = 0;
            u32 pages = 0; // with contents
            u32 tables = 0; // one for each 2 MiB of a region that was touched
            u32 pages_max = 0; // of both together
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<
        Message<1, "map", Map, Fields<"kind", "bytes", "offset", "file">, Fields<"address">>,
        Message<2, "snapshot", Snapshot, Fields<"address">, Fields<"address">>,
        Message<3, "unmap", Unmap, Fields<"address">, Fields<>>,
        Message<4, "usage", Usage, Fields<>, Fields<"regions", "pages", "tables", "pages_max">>>;
};

struct Pager {
    static constexpr std::string_view name = "pager";

    // `task` is the capability that the program was given as "task". A later session of the same
    // program takes the place of the one before, whose regions end. Not a program's own -> invalid;
    // over the pager's bound on sessions -> too_big.
    struct Open {
        Handle task;
        struct Reply {
            Handle session;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<1, "open", Open, Fields<"task">, Fields<"session">>>;
};

} // namespace gemel::protocol
