// Two ways to wait for the next request, and which of them loses less time here and now. That
// depends on what else the host does, and nothing says so but the waits themselves: the other way
// is tried now and then, ever more seldom while it loses. No clock and no system call: whoever
// waits tells how long it was.
#pragma once

#include "core/base/types.hpp"

namespace gemel::fuse {

class WaitChoice {
public:
    enum class Way : u8 {
        // On the caller's own processor, asleep: a hand-over is a switch there. Best while every
        // processor has work; where one idles, the host moves the caller to it, away from us.
        beside,
        // Where the host likes, and awake for a moment: the caller has nobody to wake. Best while
        // processors idle, since waking one may take longer than the request.
        apart,
    };

    static constexpr u32 epoch_waits = 128;
    static constexpr u64 wait_counted_ns = 1'000'000; // of a longer one no more counts
    static constexpr u64 wait_max_ns = 5'000'000; // longer: the caller had other things to do
    // Between two trials, of waiting.
    static constexpr u64 trial_every_min_ns = 4'000'000;
    static constexpr u64 trial_every_max_ns = 500'000'000;

    Way way() const { return way_; }
    // A wait in this way ended with a request. Afterwards the way may be the other one.
    void waited(u64 nanoseconds);

private:
    void begin_trial();
    void end_trial();
    void turn() { way_ = way_ == Way::beside ? Way::apart : Way::beside; }

    Way way_ = Way::beside;
    bool on_trial_ = false;
    u64 usual_ns_ = 0; // what an epoch loses in the way that is not on trial
    u64 sum_ns_ = 0; // of this epoch
    u32 waits_ = 0;
    u64 since_trial_ns_ = 0;
    u64 trial_every_ns_ = trial_every_min_ns;
};

} // namespace gemel::fuse
