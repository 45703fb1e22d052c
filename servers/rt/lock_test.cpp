// Locks under real contention: threads of one task on the hosted kernel.
#include "servers/rt/test/in_program.hpp"

#include <gtest/gtest.h>

namespace gemel {

using test::in_program;
using test::in_thread;

// Goal: only one thread at a time is inside, everyone gets in.
TEST(Lock, OneAtATime)
{
    EXPECT_EQ(in_program([](Env&) {
        struct Shared {
            u64 count = 0;
            bool inside = false;
        };
        Guarded<Shared> guarded;
        constexpr unsigned threads = 8;
        constexpr unsigned rounds = 200;
        std::atomic<unsigned> ended { 0 };
        std::atomic<bool> together { false };
        std::function<void()> const body = [&] {
            for (unsigned i = 0; i < rounds; ++i) {
                auto const access = guarded.lock();
                if (std::exchange(access->inside, true))
                    together = true;
                if (i % 3 == 0)
                    system::sched_yield();
                ++access->count;
                access->inside = false;
            }
            ++ended;
        };
        std::vector<std::function<void()>> bodies(threads, body);
        for (auto& one : bodies)
            in_thread(one);
        while (ended != threads)
            sleep_until(Deadline::after_ms(10));
        EXPECT_FALSE(together);
        EXPECT_EQ(guarded.lock()->count, u64 { threads } * rounds);
    }),
        0);
}

// Goal: first come, first served.
TEST(Lock, IsFair)
{
    EXPECT_EQ(in_program([](Env&) {
        Guarded<std::vector<int>> order;
        order.lock()->reserve(8);
        std::atomic<int> waiting { 0 };
        std::vector<std::function<void()>> bodies;
        for (int i = 0; i < 5; ++i)
            bodies.emplace_back([&order, &waiting, i] {
                ++waiting;
                order.lock()->push_back(i);
                --waiting;
            });
        {
            auto const held = order.lock();
            for (auto& body : bodies)
                in_thread(body);
            while (waiting != 5)
                system::sched_yield();
        }
        while (waiting != 0)
            system::sched_yield();
        EXPECT_EQ(*order.lock(), (std::vector { 0, 1, 2, 3, 4 }));
    }),
        0);
}

// Goal: a condition wakes one, wakes all, and ends at its deadline.
TEST(Condition, WakesAndTimesOut)
{
    EXPECT_EQ(in_program([](Env&) {
        Guarded<int> tickets { 0 };
        Condition changed;
        std::atomic<int> served { 0 };
        std::function<void()> const body = [&] {
            auto access = tickets.lock();
            while (*access == 0)
                (void)changed.wait(access);
            --*access;
            ++served;
        };
        std::vector<std::function<void()>> bodies(4, body);
        for (auto& one : bodies)
            in_thread(one);
        sleep_until(Deadline::after_ms(20));
        {
            auto const access = tickets.lock();
            *access = 1;
            changed.wake_one();
        }
        sleep_until(Deadline::after_ms(20));
        EXPECT_EQ(served, 1);
        {
            auto const access = tickets.lock();
            *access = 3;
            changed.wake_all();
        }
        sleep_until(Deadline::after_ms(20));
        EXPECT_EQ(served, 4);
        auto access = tickets.lock();
        EXPECT_FALSE(changed.wait(access, Deadline::after_ms(20)));
    }),
        0);
}

// Goal: bits are or-ed, waits end at their deadline, messages do not disturb.
TEST(Notification, OrsItsBits)
{
    EXPECT_EQ(in_program([](Env&) {
        auto const notification = std::move(*Notification::create());
        EXPECT_EQ(*notification.poll(), 0u);
        EXPECT_TRUE(notification.signal(1));
        EXPECT_TRUE(notification.signal(4));
        EXPECT_TRUE(system::port_send(notification.port().value(), { .tag = 7, .words = {} }));
        EXPECT_EQ(*notification.wait(), 5u);
        EXPECT_EQ(notification.wait(Deadline::after_ms(20)).error(), Error::timed_out);
    }),
        0);
}

} // namespace gemel
