#include "servers/scheduler/reservation.hpp"

namespace gemel::scheduler {

using protocol::ReservationPolicy;

Result<void> check(Terms const& terms)
{
    auto const known = terms.policy == ReservationPolicy::turns
        || terms.policy == ReservationPolicy::limit || terms.policy == ReservationPolicy::deadline;
    if (!known || terms.budget_ns < tick_ns || terms.period_ns < 2 * tick_ns
        || terms.period_ns > period_ns_max || terms.budget_ns > terms.period_ns)
        return Error::invalid;
    return {};
}

Reservation::Reservation(Terms const& terms, std::unique_ptr<Subject> subject, u64 now)
    : terms_(terms)
    , subject_(std::move(subject))
    , begin_ns_(now)
    , job_deadline_ns_(now + terms.period_ns)
    , level_(terms.priority)
{
    held(subject_->set_priority(level_));
    if (auto const seen = subject_->look())
        begin_run_ns_ = seen->run_ns;
}

// Whatever it was kept from, it may do again.
Reservation::~Reservation()
{
    if (gone_)
        return;
    set_level(terms_.priority);
    if (stopped_ || confined_)
        (void)subject_->go_on();
}

bool Reservation::held(Result<void> outcome)
{
    gone_ = gone_ || !outcome;
    return !gone_;
}

void Reservation::advance(u64 now)
{
    if (gone_)
        return;
    auto const seen = subject_->look();
    if (!seen) {
        gone_ = true;
        return;
    }
    used_ns_ = seen->run_ns - begin_run_ns_;
    if (now >= end_ns())
        begin_period(now, seen->run_ns);
    if (terms_.policy == ReservationPolicy::limit && used_ns_ >= terms_.budget_ns && !stopped_)
        stop();
    if (!urgent())
        set_level(terms_.priority);
}

// More than one at a time when the scheduler came late: then each has used as much.
void Reservation::begin_period(u64 now, u64 run_ns)
{
    auto const periods = (now - begin_ns_) / terms_.period_ns;
    counts_.periods += periods;
    counts_.used_ns += used_ns_;
    counts_.most_ns = std::max(counts_.most_ns, (used_ns_ + periods - 1) / periods);
    begin_ns_ += periods * terms_.period_ns;
    begin_run_ns_ = run_ns;
    used_ns_ = 0;
    if (stopped_ || confined_)
        held(subject_->go_on());
    stopped_ = confined_ = false;
    if (std::exchange(waits_for_period_, false))
        job_deadline_ns_ = end_ns();
}

// A thread that waits for something is left alone until it is ready: stopping it would end its
// wait.
void Reservation::stop()
{
    if (!confined_ && !held(subject_->confine()))
        return;
    confined_ = true;
    auto const seen = subject_->look();
    if (!seen || !seen->ready || !held(subject_->stop()))
        return;
    stopped_ = true;
    ++counts_.stops;
}

// Half a tick early: the kernel looks at its ticks, and one that comes a little before the time
// that was asked for would not count.
u64 Reservation::next_ns(u64 now) const
{
    if (gone_)
        return ~u64 { 0 };
    auto const counts = terms_.policy != ReservationPolicy::turns;
    if (!counts || stopped_)
        return end_ns();
    auto const left = used_ns_ >= terms_.budget_ns ? 0 : terms_.budget_ns - used_ns_;
    if (left == 0 && terms_.policy == ReservationPolicy::deadline)
        return end_ns();
    return std::min(end_ns(), now + std::max(left, tick_ns) - tick_ns / 2);
}

Reservation::Outcome Reservation::end_job(u64 now)
{
    advance(now);
    has_jobs_ = true;
    ++counts_.jobs;
    if (now > job_deadline_ns_) {
        ++counts_.missed;
        job_deadline_ns_ = end_ns();
        return Outcome::begins;
    }
    waits_for_period_ = true;
    return Outcome::waits;
}

bool Reservation::urgent() const
{
    return terms_.policy == ReservationPolicy::deadline && !gone_ && !waits_for_period_
        && used_ns_ < terms_.budget_ns;
}

void Reservation::set_level(u8 level)
{
    if (level_ != level && held(subject_->set_priority(level)))
        level_ = level;
}

} // namespace gemel::scheduler
