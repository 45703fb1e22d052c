// Pipes: what one program writes, another reads. Both ends speak File; offsets are ignored.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

// What a write meets when the pipe is full.
enum class PipeFull : u8 {
    wait = 0, // it waits for a reader
    refuse = 1, // no_space: for who reads only after the writer has ended
};

struct Pipes {
    static constexpr std::string_view name = "pipes";

    // `bytes_max` 0: 64 KiB; over 16 MiB -> too_big. Reading gives 0 bytes when the pipe is empty
    // and every capability to its writing end is closed; writing answers dead when every one to its
    // reading end is. Attach without a region gives an independent capability to the same end.
    struct Create {
        u32 bytes_max = 0;
        PipeFull full = PipeFull::wait;
        struct Reply {
            Handle reader;
            Handle writer;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<
        Message<1, "create", Create, Fields<"bytes_max", "full">, Fields<"reader", "writer">>>;
};

} // namespace gemel::protocol
