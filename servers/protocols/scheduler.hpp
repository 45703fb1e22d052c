// The scheduler server: sleeping, who runs before whom, and how much of the processor. Round robin
// itself needs no messages.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

enum class ReservationPolicy : u8 {
    turns = 0, // nothing but the count of its jobs
    limit = 1, // out of its budget it waits for the next period
    deadline = 2, // within its budget it runs by the earliest deadline, else at its priority
};

// A thread's share of the processor: `budget` in each `period`. Closing the last capability ends
// it: the thread runs at its priority again.
struct Reservation {
    static constexpr std::string_view name = "reservation";

    // A job is done: answers when the next period begins, whose end is the next job's deadline. At
    // once when this one's has passed.
    struct NextPeriod {
        struct Reply {
            u64 missed = 0; // jobs that ended after their deadline
        };
    };

    // Processor time is counted in ticks of 10 ms, each whole to the thread that it found running.
    struct Status {
        struct Reply {
            u64 periods = 0; // that have ended
            u64 used_ns = 0; // in those
            u64 most_ns = 0; // in one of them
            u64 stops = 0; // how often it was out of its budget
            u64 jobs = 0;
            u64 missed = 0;
        };
    };

    // Answers when the thread has ended.
    struct Hold {
        struct Reply { };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<1, "next_period", NextPeriod, Fields<>, Fields<"missed">>,
        Message<2, "status", Status, Fields<>,
            Fields<"periods", "used_ns", "most_ns", "stops", "jobs", "missed">>,
        Message<3, "hold", Hold, Fields<>, Fields<>>>;
};

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

    // `priority` is what the thread has when nothing else is said; bounded like SetPriority's. A
    // budget of at least a tick, in a period of at least two and at most a minute, or invalid. Over
    // nine tenths of a processor in deadlines -> quota. A thread twice -> exists. A scheduler that
    // is started again knows of none: capabilities say dead, and holders ask anew.
    struct Reserve {
        ReservationPolicy policy = ReservationPolicy::turns;
        u8 priority = 0;
        u64 budget_ns = 0;
        u64 period_ns = 0;
        Handle thread;
        struct Reply {
            Handle reservation;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages
        = MessageList<Message<1, "tick", Tick, Fields<>, Fields<"ticks", "sleeps", "sleepers">>,
            Message<2, "yield", Yield, Fields<>, Fields<>>,
            Message<3, "sleep", Sleep, Fields<"ns">, Fields<>>,
            Message<16, "set_priority", SetPriority, Fields<"priority", "thread">, Fields<>>,
            Message<17, "bounded", Bounded, Fields<"priority">, Fields<"scheduler">>,
            Message<18, "reserve", Reserve,
                Fields<"policy", "priority", "budget_ns", "period_ns", "thread">,
                Fields<"reservation">>>;
};

} // namespace gemel::protocol
