// Processors that are host threads, and sleep when they have nothing to do.
#include "tests/support/in_system.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace gemel {

using namespace test;

namespace {

[[noreturn]] void leave_for_good()
{
    for (;;)
        call(Call::port_receive, { own_fault_port }, 0, receive_flags(ReceiveFlag::call));
}

// One that sleeps between calls, and one that calls it again as soon as it is about to.
struct Sleeper {
    u64 port = 0;
    u64 done = 0; // the port that hears of the end
    u64 woken = 0;
    u64 rounds = 10'000;
    std::atomic<int> host_thread = 0; // that it runs on, once it runs
};

void sleep_often(u64 argument)
{
    auto& sleeper = *reinterpret_cast<Sleeper*>(argument);
    sleeper.host_thread.store(static_cast<int>(::syscall(SYS_gettid)));
    for (;;) {
        call(Call::port_receive, {}, sleeper.port);
        __atomic_fetch_add(&sleeper.woken, 1, __ATOMIC_RELEASE);
    }
}

void wake_often(u64 argument)
{
    constexpr u64 delays = 600; // a few hundred nanoseconds, each as often
    auto& sleeper = *reinterpret_cast<Sleeper*>(argument);
    for (u64 round = 0; round < sleeper.rounds; ++round) {
        while (__atomic_load_n(&sleeper.woken, __ATOMIC_ACQUIRE) != round)
            asm volatile("pause");
        for (u64 delay = 0; delay < round * 7 % delays; ++delay)
            asm volatile("");
        call(Call::signal, { sleeper.port, 1 });
    }
    call(Call::signal, { sleeper.done, 1 });
    leave_for_good();
}

// Wakes the sleeper so often, each of the two bound to a processor, which is a host thread; the
// machine's exit status.
int wakes_of(Sleeper& sleeper, u32 cpus)
{
    auto const body = [&](Init const& init) {
        constexpr u64 patience_us = 100'000'000;
        sleeper.port = init.port();
        sleeper.done = init.port();
        auto const start = [&](void (*entry)(u64), u32 cpu) {
            auto const thread = init.spawn(entry, reinterpret_cast<u64>(&sleeper));
            operate(init.capability("broker-sched"), Operation::thread_affinity,
                { thread, u64 { 1 } << cpu });
        };
        start(sleep_often, cpus - 1);
        start(wake_often, 0);
        auto const end_us = call(Call::time, {}).words[2] / 1000 + patience_us;
        EXPECT_EQ(call(Call::port_receive, {}, sleeper.done, 0, end_us).number, status_ok)
            << "after " << sleeper.woken << " calls";
    };
    return in_system(
        body, 32u << 20, {}, cpus, arch::Isolation::off, hosted::HostThreads::one_each);
}

std::atomic<u32> halts = 0; // that have ended

void halt(int)
{
    constexpr timespec a_while { 0, 30'000 };
    auto const error = errno;
    ::nanosleep(&a_while, nullptr);
    errno = error;
    halts.fetch_add(1);
}

} // namespace

// Goal: no processor sleeps through a call of another one.
// Method: a thread wakes another one, each bound to a processor that has nothing else to do, at
// every instant of its way back to sleep. Nothing else would wake it: whoever waits for the end
// waits once.
TEST(Sleep, NoneSleepsThroughACall)
{
    for (u32 const cpus : { 2u, 4u, 8u }) {
        Sleeper sleeper;
        EXPECT_EQ(wakes_of(sleeper, cpus), 0);
    }
}

// Goal: nor does one that the host halts on its way.
// Method: a signal's handler in the place of the host. A call that was lost is found when the next
// thing ends the sleep (Processors::sleep), as the timer's last tick soon does.
TEST(Sleep, NoneSleepsThroughACallWhereverItIsHalted)
{
    if constexpr (arch::watches_races)
        GTEST_SKIP() << "the sanitizer puts handlers off";
    struct sigaction action { };
    sigfillset(&action.sa_mask);
    action.sa_flags = SA_ONSTACK;
    action.sa_handler = halt;
    ::sigaction(SIGUSR1, &action, nullptr);
    Sleeper sleeper { .rounds = 40'000 };
    std::atomic<bool> stop = false;
    std::thread halts_it([&] {
        constexpr std::chrono::microseconds a_moment { 10 };
        for (u32 sent = 0; !stop.load(); std::this_thread::sleep_for(a_moment))
            if (auto const thread = sleeper.host_thread.load(); thread != 0 && halts.load() == sent)
                sent += ::syscall(SYS_tgkill, ::getpid(), thread, SIGUSR1) == 0 ? 1 : 0;
    });
    EXPECT_EQ(wakes_of(sleeper, 2), 0);
    stop.store(true);
    halts_it.join();
    EXPECT_GT(halts.load(), 100u);
}

} // namespace gemel
