// A protocol of the tutorial: a number that grows, and a text that comes back.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

struct Counter {
    static constexpr std::string_view name = "counter";

    // The sum so far, `amount` included. Past the largest number -> too_big, and the sum stays.
    struct Add {
        u64 amount = 0;
        struct Reply {
            u64 sum = 0;
        };
    };

    struct Echo {
        Text<40> text;
        struct Reply {
            Text<40> text;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<1, "add", Add, Fields<"amount">, Fields<"sum">>,
        Message<2, "echo", Echo, Fields<"text">, Fields<"text">>>;
};

} // namespace gemel::protocol
