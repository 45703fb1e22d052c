// The console beside the File that reads and writes it: the line discipline, and what Ctrl-C does.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

// Lines: edited, echoed, given whole; Ctrl-C interrupts, Ctrl-D ends. Raw: every byte at once.
enum class ConsoleMode : u8 { lines = 0, raw = 1 };

struct Console {
    static constexpr std::string_view name = "console";

    // A File to read from and write to. Reads wait as deferred replies.
    struct Open {
        Handle region;
        struct Reply {
            Handle file;
        };
    };

    struct SetMode {
        ConsoleMode mode = ConsoleMode::lines;
        struct Reply { };
    };

    // `port` (send) is signalled with `bits` at Ctrl-C, instead of whoever was named before. Left
    // out: nobody is.
    struct OnInterrupt {
        u64 bits = 0;
        Handle port;
        struct Reply { };
    };

    struct Size {
        struct Reply {
            u16 columns = 0;
            u16 rows = 0;
        };
    };

    // Up to 40 bytes that a raw reader took too many of: who reads next gets them first. Longer
    // texts are put back from their end, piece by piece; a piece ends at its first NUL.
    struct PutBack {
        Text<40> text;
        struct Reply { };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<1, "open", Open, Fields<"region">, Fields<"file">>,
        Message<16, "set_mode", SetMode, Fields<"mode">, Fields<>>,
        Message<17, "on_interrupt", OnInterrupt, Fields<"bits", "port">, Fields<>>,
        Message<18, "size", Size, Fields<>, Fields<"columns", "rows">>,
        Message<19, "put_back", PutBack, Fields<"text">, Fields<>>>;
};

} // namespace gemel::protocol
