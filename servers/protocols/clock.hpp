// The time of day. It is the monotonic time (the call `time`) and an offset, so one answer is
// enough for a program's life.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

struct Clock {
    static constexpr std::string_view name = "clock";

    // When the monotonic time was 0, in nanoseconds since 1970, UTC; right to a second. not_found:
    // the machine has no clock that knows the date.
    struct Start {
        struct Reply {
            u64 since_1970_ns = 0;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<1, "start", Start, Fields<>, Fields<"since_1970_ns">>>;
};

} // namespace gemel::protocol
