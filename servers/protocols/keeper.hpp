// A service that writes out what others gave it. init asks it to before it unmounts the file
// systems.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

struct Keeper {
    static constexpr std::string_view name = "keeper";

    // What was there when the request was made is written; otherwise why it could not be.
    struct Flush {
        struct Reply { };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<1, "flush", Flush, Fields<>, Fields<>>>;
};

} // namespace gemel::protocol
