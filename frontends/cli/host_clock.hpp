// The host's time of day, since 1970, UTC.
#pragma once

#include "core/base/types.hpp"

#include <ctime>

namespace gemel::cli {

inline i64 host_time_ns()
{
    timespec now {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * i64 { 1'000'000'000 } + now.tv_nsec;
}

inline void host_wait_ns(i64 ns)
{
    timespec left { ns / 1'000'000'000, ns % 1'000'000'000 };
    while (::nanosleep(&left, &left) != 0) { }
}

inline i64 host_seconds()
{
    return host_time_ns() / 1'000'000'000;
}

} // namespace gemel::cli
