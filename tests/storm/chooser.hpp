// Where a storm's random numbers come from: the same seed gives the same messages on every machine.
#pragma once

#include "core/base/types.hpp"

namespace gemel::storm {

class Chooser {
public:
    explicit Chooser(u64 seed)
        : state_(seed)
    {
    }

    // SplitMix64 (Steele, Lea, Flood 2014).
    u64 next()
    {
        state_ += 0x9E37'79B9'7F4A'7C15;
        auto mixed = state_;
        mixed = (mixed ^ mixed >> 30) * 0xBF58'476D'1CE4'E5B9;
        mixed = (mixed ^ mixed >> 27) * 0x94D0'49BB'1331'11EB;
        return mixed ^ mixed >> 31;
    }
    // 0 to `count` - 1; `count` at least 1.
    u64 below(u64 count) { return next() % count; }
    bool one_in(u64 count) { return below(count) == 0; }

private:
    u64 state_;
};

} // namespace gemel::storm
