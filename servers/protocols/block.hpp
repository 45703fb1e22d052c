// A block device. A capability with a region attached is a session: its requests move bytes
// straight between the device and that region.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

inline constexpr u32 sector_bytes = 512; // the unit of `lba` and `count`, whatever the device's own

enum class BlockAccess : u8 { read_write = 0, read_only = 1 };

// Errors that all share: invalid (outside the device or the region, an offset that is no multiple
// of 512, count 0), too_big (over Info's sectors_max), io (the device says so), read_only,
// unavailable (no region attached, or the device is gone).
struct Block {
    static constexpr std::string_view name = "block";

    // Fills the session's region from byte `offset` with `count` sectors from `lba`.
    struct Read {
        u64 lba = 0;
        u32 count = 0;
        u32 offset = 0;
        struct Reply { };
    };

    // Durable only after a later Flush returns.
    struct Write {
        u64 lba = 0;
        u32 count = 0;
        u32 offset = 0;
        struct Reply { };
    };

    struct Flush {
        struct Reply { };
    };

    // Nobody needs what `count` sectors from `lba` hold: until they are written again they read as
    // anything, also after a power cut that comes before a Flush. No region is needed. Reply
    // `count`: how many were given up, from `lba` on; at least one. A device that cannot ->
    // unsupported.
    struct Discard {
        u64 lba = 0;
        u64 count = 0;
        struct Reply {
            u64 count = 0;
        };
    };

    // A capability to the same device whose requests use `region` (read; and write, for Read). The
    // region must not be destroyed before the capability is closed.
    struct Attach {
        Handle region;
        struct Reply {
            Handle block;
        };
    };

    struct Info {
        struct Reply {
            u64 sectors = 0;
            u32 block_bytes = 0; // the device's preferred unit, a multiple of 512
            u32 sectors_max = 0; // of one request
            BlockAccess access = BlockAccess::read_write;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages
        = MessageList<Message<1, "read", Read, Fields<"lba", "count", "offset">, Fields<>>,
            Message<2, "write", Write, Fields<"lba", "count", "offset">, Fields<>>,
            Message<3, "flush", Flush, Fields<>, Fields<>>,
            Message<4, "discard", Discard, Fields<"lba", "count">, Fields<"count">>,
            Message<16, "attach", Attach, Fields<"region">, Fields<"block">>,
            Message<17, "info", Info, Fields<>,
                Fields<"sectors", "block_bytes", "sectors_max", "access">>>;
};

} // namespace gemel::protocol
