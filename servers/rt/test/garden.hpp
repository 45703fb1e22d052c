// A protocol with every kind of member, for tests.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::test {

enum class Colour : u8 { red = 1, blue = 2 };

struct Garden {
    static constexpr std::string_view name = "garden";

    struct Plant {
        u64 where = 0;
        Span span;
        Colour colour = Colour::red;
        i32 depth = 0;
        struct Reply {
            u32 count = 0;
            Text<16> label;
        };
    };
    struct Give {
        u64 badge = 0;
        Handle first;
        Handle second;
        Handle third;
        struct Reply {
            Handle first;
            Handle second;
        };
    };
    struct Wait {
        struct Reply {
            u64 order = 0;
        };
    };
    struct Empty {
        struct Reply { };
    };

    using Messages
        = MessageList<Message<2, "plant", Plant, Fields<"where", "span", "colour", "depth">,
                          Fields<"count", "label">>,
            Message<3, "give", Give, Fields<"badge", "first", "second", "third">,
                Fields<"first", "second">>,
            Message<4, "wait", Wait, Fields<>, Fields<"order">>,
            Message<0x1234, "empty", Empty, Fields<>, Fields<>>>;
};

} // namespace gemel::test
