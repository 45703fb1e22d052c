#include "servers/rt/wall_clock.hpp"

#include "servers/protocols/clock.hpp"
#include "servers/rt/system.hpp"

namespace gemel {

WallClock WallClock::create(Env& env)
{
    auto const clock = env.take<protocol::Clock>("clock");
    if (!clock)
        return WallClock(std::nullopt);
    auto const start = clock->call(protocol::Clock::Start {});
    return WallClock(start ? std::optional(start->since_1970_ns) : std::nullopt);
}

std::optional<i64> WallClock::now_ns() const
{
    if (!start_ns_)
        return std::nullopt;
    return static_cast<i64>(*start_ns_ + system::time_ns());
}

i64 WallClock::now_or_uptime_ns() const
{
    return now_ns().value_or(static_cast<i64>(system::time_ns()));
}

} // namespace gemel
