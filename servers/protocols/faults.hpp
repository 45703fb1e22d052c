// Page faults on their way from init, which every fault of a program reaches, to the pager and
// back. init never waits for the pager: it sends one way, and the pager calls to say what became of
// it.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

enum class FaultAccess : u8 { read = 0, write = 1 };

enum class FaultOutcome : u8 {
    mended = 0, // the thread goes on at the instruction that faulted
    refused = 1, // nothing is there: the program ends as by any other fault
    failed = 2, // something is there and could not be had: the program ends, and is told why
};

// What the pager gives init for each program, to send faults to.
struct FaultSink {
    static constexpr std::string_view name = "fault-sink";

    // One way. `fault` names it in Settle.
    struct Fault {
        u64 fault = 0;
        u64 address = 0;
        FaultAccess access = FaultAccess::read;
        struct Reply { };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages
        = MessageList<Message<1, "fault", Fault, Fields<"fault", "address", "access">, Fields<>>>;
};

// Served by init, for the pager alone.
struct Faults {
    static constexpr std::string_view name = "faults";

    // Faults of the program whose task this is go to `sink`, when their address lies between
    // `begin` and `end`, which nothing else of the program's uses. Not a program's -> invalid.
    struct Adopt {
        Handle task;
        Handle sink; // to be sent to
        struct Reply {
            u64 begin = 0;
            u64 end = 0;
            u64 chance = 0; // of the machine's: for where regions lie
        };
    };

    // A fault that is none any more, because its program has ended: nothing happens.
    struct Settle {
        u64 fault = 0;
        FaultOutcome outcome = FaultOutcome::mended;
        u8 error = 0; // failed: why (Error)
        struct Reply { };
    };

    // Zeroed memory from what no program has yet. 0 or over 512 pages -> invalid; when programs
    // would be left with too little -> quota.
    struct Take {
        u32 pages = 0;
        struct Reply {
            Handle region;
        };
    };

    // What Take answered. Pages of it that fill other regions live on there.
    struct GiveBack {
        Handle region;
        struct Reply { };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<
        Message<1, "adopt", Adopt, Fields<"task", "sink">, Fields<"begin", "end", "chance">>,
        Message<2, "settle", Settle, Fields<"fault", "outcome", "error">, Fields<>>,
        Message<3, "take", Take, Fields<"pages">, Fields<"region">>,
        Message<4, "give_back", GiveBack, Fields<"region">, Fields<>>>;
};

} // namespace gemel::protocol
