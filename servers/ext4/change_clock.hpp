// The time that a change is marked with: one that moves on every 4 ms, as the ticks of the kernel's
// do (ktime_get_coarse_real_ts64), and at once when the last one may have been seen. So a file that
// is written again within a tick keeps its inode as it is, and whoever looks between two changes
// still sees two times.
#pragma once

#include "servers/ext4/inode_table.hpp"

namespace gemel::ext4 {

class ChangeClock {
public:
    static constexpr i64 tick_ns = 4'000'000;

    // The time, since 1970, of a change that is made at `now_ns`: not later than that, and not
    // earlier than the one before unless the clock was set back.
    i64 time_ns(i64 now_ns)
    {
        if (seen_ || now_ns < last_ns_ || now_ns - last_ns_ >= tick_ns) {
            last_ns_ = now_ns;
            seen_ = false;
        }
        return last_ns_;
    }
    // The times of `inode` were given to somebody. Every change sets `changed`.
    void note_seen(Inode const& inode) { seen_ |= inode.changed == timestamp_of(last_ns_); }

private:
    i64 last_ns_ = 0;
    bool seen_ = true;
};

} // namespace gemel::ext4
