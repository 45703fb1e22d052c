// When a wait ends at the latest: absolute monotonic microseconds, as the number word carries it.
#pragma once

#include "core/base/types.hpp"

#include <algorithm>

namespace gemel {

class Deadline {
public:
    static constexpr Deadline none() { return Deadline(0); }
    // The number word has 48 bits for it: what comes later than that (almost nine years after boot)
    // ends then.
    static constexpr u64 us_max = (1ull << 48) - 1;
    static constexpr Deadline at_us(u64 us) { return Deadline(std::min(us, us_max)); }
    // Rounded up; an instant of 0 is made 1, because 0 is none.
    static constexpr Deadline at_ns(u64 ns)
    {
        return at_us(std::max<u64>(1, ns / 1000 + (ns % 1000 != 0)));
    }
    // From now.
    static Deadline after_ns(u64 ns);
    static Deadline after_ms(u64 ms)
    {
        constexpr u64 ns_per_ms = 1'000'000;
        return after_ns(ms > ~u64 { 0 } / ns_per_ms ? ~u64 { 0 } : ms * ns_per_ms);
    }

    constexpr bool is_none() const { return us_ == 0; }
    constexpr u64 us() const { return us_; }
    constexpr Deadline earlier(Deadline other) const
    {
        if (is_none())
            return other;
        return other.is_none() || us_ < other.us_ ? *this : other;
    }

private:
    explicit constexpr Deadline(u64 us)
        : us_(us)
    {
    }
    u64 us_;
};

} // namespace gemel
