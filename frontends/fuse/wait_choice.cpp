#include "frontends/fuse/wait_choice.hpp"

#include <algorithm>

namespace gemel::fuse {

// A trial ends as soon as it has lost, so it costs no more than an epoch of the usual way.
void WaitChoice::waited(u64 nanoseconds)
{
    if (nanoseconds > wait_max_ns)
        return;
    sum_ns_ += std::min(nanoseconds, wait_counted_ns);
    ++waits_;
    if (on_trial_ && (waits_ == epoch_waits || sum_ns_ >= usual_ns_)) {
        end_trial();
    } else if (waits_ == epoch_waits) {
        usual_ns_ = usual_ns_ == 0 ? sum_ns_ : (usual_ns_ + sum_ns_) / 2;
        since_trial_ns_ += sum_ns_;
        if (since_trial_ns_ >= trial_every_ns_)
            begin_trial();
    } else {
        return;
    }
    sum_ns_ = 0;
    waits_ = 0;
}

void WaitChoice::begin_trial()
{
    on_trial_ = true;
    turn();
}

void WaitChoice::end_trial()
{
    constexpr u64 worth_it = 8; // an eighth less, or it was chance
    on_trial_ = false;
    since_trial_ns_ = 0;
    if (sum_ns_ < usual_ns_ - usual_ns_ / worth_it) {
        usual_ns_ = sum_ns_;
        trial_every_ns_ = trial_every_min_ns;
    } else {
        trial_every_ns_ = std::min(trial_every_ns_ * 2, trial_every_max_ns);
        turn();
    }
}

} // namespace gemel::fuse
