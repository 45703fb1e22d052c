#include "servers/scheduler/reservation.hpp"

#include <gtest/gtest.h>

namespace gemel::scheduler {

namespace {

using protocol::ReservationPolicy;

struct Thread {
    u64 run_ns = 0;
    bool ready = true;
    bool ended = false;
    u8 priority = 0;
    bool confined = false;
    bool stopped = false;
};

class FakeSubject final : public Subject {
public:
    explicit FakeSubject(Thread& thread)
        : thread_(thread)
    {
    }
    Result<Seen> look() override
    {
        if (thread_.ended)
            return Error::not_found;
        return Seen { thread_.run_ns, thread_.ready };
    }
    Result<void> set_priority(u8 priority) override
    {
        thread_.priority = priority;
        return {};
    }
    Result<void> confine() override
    {
        thread_.confined = true;
        return {};
    }
    Result<void> stop() override
    {
        EXPECT_TRUE(thread_.confined && thread_.ready);
        thread_.stopped = true;
        return {};
    }
    Result<void> go_on() override
    {
        thread_.stopped = thread_.confined = false;
        return {};
    }

private:
    Thread& thread_;
};

Reservation reserve(Thread& thread, ReservationPolicy policy)
{
    return { { policy, 3, 2 * tick_ns, 10 * tick_ns }, std::make_unique<FakeSubject>(thread), 0 };
}

} // namespace

// Goal: a thread that always wants to run has its budget in each period, and not a tick more.
TEST(Reservation, OutOfItsBudgetAThreadWaitsForThePeriod)
{
    Thread thread;
    auto reservation = reserve(thread, ReservationPolicy::limit);
    u64 ran = 0;
    for (u64 tick = 1; tick <= 1000; ++tick) {
        if (!thread.stopped) {
            thread.run_ns += tick_ns;
            ++ran;
        }
        reservation.advance(tick * tick_ns);
    }
    EXPECT_EQ(ran, 200u);
    EXPECT_EQ(reservation.counts().periods, 100u);
    EXPECT_EQ(reservation.counts().used_ns, 200 * tick_ns);
    EXPECT_EQ(reservation.counts().most_ns, 2 * tick_ns);
    EXPECT_EQ(reservation.counts().stops, 100u);
}

// Goal: a wait is never cut short by a stop.
TEST(Reservation, AThreadThatWaitsIsNotStopped)
{
    Thread thread;
    auto reservation = reserve(thread, ReservationPolicy::limit);
    thread.run_ns = 5 * tick_ns;
    thread.ready = false;
    reservation.advance(5 * tick_ns);
    EXPECT_FALSE(thread.stopped);
    EXPECT_TRUE(thread.confined);
    EXPECT_EQ(reservation.next_ns(5 * tick_ns), 5 * tick_ns + tick_ns / 2);
    thread.ready = true;
    reservation.advance(6 * tick_ns);
    EXPECT_TRUE(thread.stopped);
    EXPECT_EQ(reservation.next_ns(6 * tick_ns), 10 * tick_ns);
    reservation.advance(10 * tick_ns);
    EXPECT_FALSE(thread.stopped || thread.confined);
}

// Goal: who gives a reservation back is as free as before, whatever it was in.
TEST(Reservation, ItsEndLetsTheThreadGoOn)
{
    Thread thread;
    {
        auto reservation = reserve(thread, ReservationPolicy::limit);
        thread.run_ns = 2 * tick_ns;
        reservation.advance(2 * tick_ns);
        EXPECT_TRUE(thread.stopped);
    }
    EXPECT_FALSE(thread.stopped || thread.confined);
    EXPECT_EQ(thread.priority, 3);
}

// Goal: jobs in time wait for their period; a late one is counted and begins at once.
TEST(Reservation, JobsAreHeldToTheirDeadlines)
{
    Thread thread;
    auto reservation = reserve(thread, ReservationPolicy::deadline);
    EXPECT_TRUE(reservation.urgent());
    EXPECT_EQ(reservation.deadline_ns(), 10 * tick_ns);
    EXPECT_EQ(reservation.end_job(4 * tick_ns), Reservation::Outcome::waits);
    EXPECT_FALSE(reservation.urgent());
    reservation.advance(10 * tick_ns);
    EXPECT_FALSE(reservation.waits_for_period());
    EXPECT_EQ(reservation.deadline_ns(), 20 * tick_ns);
    EXPECT_EQ(reservation.end_job(21 * tick_ns), Reservation::Outcome::begins);
    EXPECT_EQ(reservation.deadline_ns(), 30 * tick_ns);
    EXPECT_EQ(reservation.counts().jobs, 2u);
    EXPECT_EQ(reservation.counts().missed, 1u);
}

// Goal: a deadline gives no more than the budget: then the thread is as ordinary as it was.
TEST(Reservation, AnOverrunIsOrdinary)
{
    Thread thread;
    auto reservation = reserve(thread, ReservationPolicy::deadline);
    reservation.set_level(first_deadline_level);
    EXPECT_EQ(thread.priority, first_deadline_level);
    thread.run_ns = 2 * tick_ns;
    reservation.advance(2 * tick_ns);
    EXPECT_FALSE(reservation.urgent());
    EXPECT_FALSE(thread.stopped);
    EXPECT_EQ(thread.priority, 3);
    reservation.advance(10 * tick_ns);
    EXPECT_TRUE(reservation.urgent());
}

// Goal: a thread that has ended ends its reservation, with nothing more asked of it.
TEST(Reservation, AThreadThatHasEndedIsGone)
{
    Thread thread;
    auto reservation = reserve(thread, ReservationPolicy::limit);
    thread.ended = true;
    reservation.advance(tick_ns);
    EXPECT_TRUE(reservation.gone());
    EXPECT_EQ(reservation.next_ns(tick_ns), ~u64 { 0 });
}

// Goal: terms that cannot be held are refused.
TEST(Reservation, TermsAreChecked)
{
    EXPECT_TRUE(check({ ReservationPolicy::limit, 3, tick_ns, 2 * tick_ns }));
    for (auto const& terms : { Terms { static_cast<ReservationPolicy>(3), 3, tick_ns, 2 * tick_ns },
             Terms { ReservationPolicy::limit, 3, tick_ns - 1, 2 * tick_ns },
             Terms { ReservationPolicy::limit, 3, tick_ns, tick_ns },
             Terms { ReservationPolicy::limit, 3, 3 * tick_ns, 2 * tick_ns },
             Terms { ReservationPolicy::limit, 3, tick_ns, period_ns_max + 1 } })
        EXPECT_EQ(check(terms).error(), Error::invalid);
}

} // namespace gemel::scheduler
