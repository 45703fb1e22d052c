// The time of day for a program that was given the capability "clock".
#pragma once

#include "servers/rt/env.hpp"

namespace gemel {

class WallClock {
public:
    // Takes "clock" from `env`. Without it, or on a machine that knows no date, there is no time of
    // day.
    static WallClock create(Env& env);

    // Since 1970, UTC.
    std::optional<i64> now_ns() const;
    // The same, or the time since boot.
    i64 now_or_uptime_ns() const;

private:
    explicit WallClock(std::optional<u64> start)
        : start_ns_(start)
    {
    }

    std::optional<u64> start_ns_;
};

} // namespace gemel
