// One thread's share of the processor: so much in each period. What it has used is the kernel's
// count, a tick at a time.
#pragma once

#include "core/base/result.hpp"
#include "servers/protocols/scheduler.hpp"

#include <algorithm>
#include <memory>

namespace gemel::scheduler {

inline constexpr u64 tick_ns = 10'000'000; // the kernel's
inline constexpr u64 period_ns_max = 60'000'000'000;
// Whoever has the earliest deadline is above the others, and all of them are above ordinary
// servers: those that may be late are not what a deadline waits for.
inline constexpr u8 first_deadline_level = 6;
inline constexpr u8 other_deadlines_level = 5;

struct Terms {
    protocol::ReservationPolicy policy = protocol::ReservationPolicy::turns;
    u8 priority = 0;
    u64 budget_ns = 0;
    u64 period_ns = 0;
};

// invalid: see protocol::Scheduler::Reserve.
Result<void> check(Terms const& terms);

// The thread, as far as a reservation has to do with it. An error says that it is gone.
class Subject {
public:
    struct Seen {
        u64 run_ns = 0;
        bool ready = false; // it waits for the processor alone
    };
    virtual ~Subject() = default;
    virtual Result<Seen> look() = 0;
    virtual Result<void> set_priority(u8 priority) = 0;
    // To the scheduler's own processor: while that one schedules, the thread cannot move.
    virtual Result<void> confine() = 0;
    virtual Result<void> stop() = 0; // only when it is confined and ready
    virtual Result<void> go_on() = 0; // wherever it likes
};

class Reservation {
public:
    using Counts = protocol::Reservation::Status::Reply;

    Reservation(Terms const& terms, std::unique_ptr<Subject> subject, u64 now);
    ~Reservation();

    // Brings the books, and the thread's stop, up to date.
    void advance(u64 now);
    // When it wants to be advanced again.
    u64 next_ns(u64 now) const;
    // The thread has ended.
    bool gone() const { return gone_; }
    Counts const& counts() const { return counts_; }
    Terms const& terms() const { return terms_; }

    enum class Outcome : u8 { waits, begins };
    // A job is done. Waits: until advance() has said `began`.
    Outcome end_job(u64 now);
    bool waits_for_period() const { return waits_for_period_; }

    // Of the job that runs; for those that have a deadline now (urgent).
    u64 deadline_ns() const { return has_jobs_ ? job_deadline_ns_ : end_ns(); }
    bool urgent() const;
    // The level of an urgent one; the others' is their priority.
    void set_level(u8 level);

private:
    u64 end_ns() const { return begin_ns_ + terms_.period_ns; }
    void begin_period(u64 now, u64 run_ns);
    void stop();
    bool held(Result<void> outcome);

    Terms terms_;
    std::unique_ptr<Subject> subject_;
    u64 begin_ns_;
    u64 begin_run_ns_ = 0; // what the thread had used then
    u64 used_ns_ = 0; // since
    u64 job_deadline_ns_;
    Counts counts_;
    u8 level_;
    bool has_jobs_ = false;
    bool waits_for_period_ = false;
    bool confined_ = false;
    bool stopped_ = false;
    bool gone_ = false;
};

} // namespace gemel::scheduler
