// What the tasks of cap-storm say to each other, and what each of them does.
#pragma once

#include "servers/rt/rt.hpp"

namespace gemel::cap_storm {

struct Market {
    static constexpr std::string_view name = "market";

    // One capability for another, which may have died meanwhile. `badge` is that of the capability
    // through which this comes.
    struct Swap {
        u64 badge = 0;
        Handle capability;
        struct Reply {
            Handle capability;
        };
    };
    // A capability for Echo; those that were given out before die.
    struct Line {
        struct Reply {
            Handle line;
        };
    };
    // `cut`: the line was revoked before this was answered.
    struct Echo {
        u64 nonce = 0;
        struct Reply {
            u64 nonce = 0;
            u8 cut = 0;
        };
    };
    // Nothing is kept any more.
    struct Close {
        struct Reply { };
    };

    using Messages
        = MessageList<Message<1, "swap", Swap, Fields<"badge", "capability">, Fields<"capability">>,
            Message<2, "line", Line, Fields<>, Fields<"line">>,
            Message<3, "echo", Echo, Fields<"nonce">, Fields<"nonce", "cut">>,
            Message<4, "close", Close, Fields<>, Fields<>>>;
};

// A task's own chance: the seed's alone.
class Dice {
public:
    Dice(u64 seed, u64 number)
        : state_((seed + 1) * 0x9E37'79B9'7F4A'7C15 ^ (number + 1) * 0xBF58'476D'1CE4'E5B9)
    {
    }
    u64 below(u64 count)
    {
        state_ ^= state_ >> 12; // xorshift64*, Vigna 2016
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return (state_ * 0x2545'F491'4F6C'DD1D >> 32) % count;
    }

private:
    u64 state_;
};

// A child's life. An error is a fault's doing; what must not be is told as a line FAIL.
Result<void> trade(Client<Market> market, u64 number, u64 seed);

} // namespace gemel::cap_storm
