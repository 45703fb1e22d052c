// The lock of processors that are host threads, by itself.
#include "arch/hosted/src/entry_lock.hpp"

#include <gtest/gtest.h>

#include <sched.h>
#include <thread>
#include <vector>

namespace gemel::arch {

// Goal: one at a time, and nobody is left asleep.
// Method: more threads than the machine has processors count in plain memory. One of them at a time
// stays long enough inside that the others go to sleep.
TEST(EntryLock, OneAtATime)
{
    constexpr u32 threads = 6;
    constexpr u32 rounds = 20'000;
    constexpr u32 long_stay = 500; // each so many rounds
    EntryLock lock;
    u64 count = 0;
    std::vector<std::thread> all;
    for (u32 number = 0; number < threads; ++number)
        all.emplace_back([&] {
            for (u32 round = 0; round < rounds; ++round) {
                lock.take();
                count = count + 1;
                if (round % long_stay == 0)
                    ::sched_yield();
                lock.give();
            }
        });
    for (auto& thread : all)
        thread.join();
    EXPECT_EQ(count, u64 { threads } * rounds);
}

// Goal: nobody is kept out by one that takes the lock again as soon as it has given it.
// Method: all on one processor of the host, where one that is woken finds the lock taken nearly
// always; how often the other one is inside until each has been there a few times.
TEST(EntryLock, NobodyIsKeptOut)
{
    constexpr u32 visitors = 3;
    constexpr u32 visits = 20; // of each
    constexpr u64 turns_max = 20'000;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    EntryLock lock;
    std::atomic<u32> visited = 0;
    lock.take();
    std::vector<std::thread> all;
    for (u32 number = 0; number < visitors; ++number)
        all.emplace_back([&] {
            ::sched_setaffinity(0, sizeof one, &one);
            for (u32 visit = 0; visit < visits; ++visit) {
                lock.take();
                visited.fetch_add(1);
                lock.give();
            }
        });
    u64 turns = 0;
    std::thread busy([&] {
        ::sched_setaffinity(0, sizeof one, &one);
        for (; visited.load() < visitors * visits && turns < turns_max * 2; ++turns) {
            lock.take();
            for (u32 spin = 0; spin < 1000; ++spin)
                asm volatile("pause");
            lock.give();
        }
    });
    lock.give();
    busy.join();
    for (auto& visitor : all)
        visitor.join();
    EXPECT_LT(turns, turns_max);
}

} // namespace gemel::arch
