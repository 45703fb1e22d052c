// The scheduler server: sleeping, and who runs before whom. Round robin itself needs no messages.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

struct Scheduler {
    static constexpr std::string_view name = "scheduler";

    // What it has counted.
    struct Tick {
        struct Reply {
            u64 ticks = 0; // told by the kernel since boot
            u64 sleeps = 0; // begun since boot
            u32 sleepers = 0; // now
        };
    };

    // Answers when every other thread that was ready has had its turn.
    struct Yield {
        struct Reply { };
    };

    // Answers `ns` nanoseconds from now, not earlier. Over 10,000 sleepers -> too_big.
    struct Sleep {
        u64 ns = 0;
        struct Reply { };
    };

    // `priority` 0 (idle) to 7; a client's capability bounds it: over it -> no_rights. Needs write
    // on the thread.
    struct SetPriority {
        u8 priority = 0;
        Handle thread;
        struct Reply { };
    };

    // A capability that may give priorities up to `priority`, at most this one's.
    struct Bounded {
        u8 priority = 0;
        struct Reply {
            Handle scheduler;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages
        = MessageList<Message<1, "tick", Tick, Fields<>, Fields<"ticks", "sleeps", "sleepers">>,
            Message<2, "yield", Yield, Fields<>, Fields<>>,
            Message<3, "sleep", Sleep, Fields<"ns">, Fields<>>,
            Message<16, "set_priority", SetPriority, Fields<"priority", "thread">, Fields<>>,
            Message<17, "bounded", Bounded, Fields<"priority">, Fields<"scheduler">>>;
};

} // namespace gemel::protocol
