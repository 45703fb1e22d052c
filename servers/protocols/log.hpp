// The system's log. A capability to it has a name, which stands before each line written through
// it. Text travels inside the messages: whoever writes cannot make the log wait for its memory.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

enum class LogLevel : u8 { debug = 0, info = 1, warn = 2, error = 3 };

struct Log {
    static constexpr std::string_view name = "log";

    // A piece of a line; one of fewer than 40 bytes ends it. Lines over 1,024 bytes are cut. Below
    // the level that is set, the line is dropped.
    struct Write {
        LogLevel level = LogLevel::info;
        Text<40> text;
        struct Reply { };
    };

    // Everything written so far is where ReadTail finds it.
    struct Flush {
        struct Reply { };
    };

    // Lines below `level` are dropped from now on; those from `echo` on also go to the debug output
    // (4: none do).
    struct SetLevel {
        LogLevel level = LogLevel::info;
        u8 echo = 4;
        struct Reply { };
    };

    // Text from `cursor` on: 0 is the oldest that is kept; otherwise what the last answer said. A
    // cursor that is older than the ring goes on at its start. An empty text is the end.
    // A line is "SECONDS.MICROS LEVEL NAME: TEXT\n".
    struct ReadTail {
        u64 cursor = 0;
        struct Reply {
            u64 cursor = 0;
            Text<40> text;
        };
    };

    // A capability with a name of its own.
    struct Open {
        Text<24> name;
        struct Reply {
            Handle log;
        };
    };

    // Where a ReadTail that wants the last `bytes` begins: at a line's start.
    struct TailCursor {
        u32 bytes = 0;
        struct Reply {
            u64 cursor = 0;
        };
    };

    // For who passes the text on: from now on a ReadTail through this capability that finds the end
    // asks for one signal, `bits` at `port` (send), when there is more. Left out: no more signals.
    // `cursor` is what the last Keep said, 0 before one. The root cannot follow, it is everybody's
    // (invalid); over 16 capabilities that do -> too_big.
    struct Follow {
        u64 bits = 0;
        Handle port;
        struct Reply {
            u64 cursor = 0;
        };
    };

    // The text before `cursor` is kept elsewhere: who follows next need not begin before it. Not
    // following, or beyond the end -> invalid.
    struct Keep {
        u64 cursor = 0;
        struct Reply { };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<1, "write", Write, Fields<"level", "text">, Fields<>>,
        Message<2, "flush", Flush, Fields<>, Fields<>>,
        Message<3, "set_level", SetLevel, Fields<"level", "echo">, Fields<>>,
        Message<4, "read_tail", ReadTail, Fields<"cursor">, Fields<"cursor", "text">>,
        Message<16, "open", Open, Fields<"name">, Fields<"log">>,
        Message<17, "tail_cursor", TailCursor, Fields<"bytes">, Fields<"cursor">>,
        Message<18, "follow", Follow, Fields<"bits", "port">, Fields<"cursor">>,
        Message<19, "keep", Keep, Fields<"cursor">, Fields<>>>;
};

} // namespace gemel::protocol
