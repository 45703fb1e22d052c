// Several processors: the same system calls, interleaved at every kernel exit, or by the host.
#include "tests/support/in_system.hpp"
#include "tests/support/vectors.hpp"

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

constexpr u64 calls_each = 400;
constexpr u64 clients = 5;

struct Traffic {
    u64 port = 0;
    u64 served = 0;
    u64 right = 0;
    u64 finished = 0;
};

[[noreturn]] void leave_for_good()
{
    for (;;)
        call(Call::port_receive, { own_fault_port }, 0, receive_flags(ReceiveFlag::call));
}

void serve_for_ever(u64 argument)
{
    auto& traffic = *reinterpret_cast<Traffic*>(argument);
    auto message = call(Call::port_receive, {}, traffic.port);
    for (;;) {
        __atomic_fetch_add(&traffic.served, 1, __ATOMIC_RELAXED);
        message = call(Call::port_receive,
            { message.port, 0, message.words[2], message.words[2] * 3 + 1 }, traffic.port,
            receive_flags(ReceiveFlag::send_first));
    }
}

void call_many(u64 argument)
{
    auto& traffic = *reinterpret_cast<Traffic*>(argument);
    u64 right = 0;
    for (u64 round = 0; round < calls_each; ++round) {
        auto const value = reinterpret_cast<u64>(&round) + round;
        auto const answer = call(
            Call::port_receive, { traffic.port, 1, value }, 0, receive_flags(ReceiveFlag::call));
        right += answer.number == status_ok && answer.words[3] == value * 3 + 1;
    }
    __atomic_fetch_add(&traffic.right, right, __ATOMIC_RELAXED);
    __atomic_fetch_add(&traffic.finished, 1, __ATOMIC_RELEASE);
    leave_for_good();
}

struct Holder {
    u64 seed = 0;
    u64 rounds = 0;
    u64 wrong = 0;
};

void hold_for_ever(u64 argument)
{
    constexpr u64 turns_max = 4'000'000;
    auto& holder = *reinterpret_cast<Holder*>(argument);
    for (;;) {
        holder.wrong += vectors_wrong(holder.seed << 20 | holder.rounds, 1, turns_max);
        const_cast<u64 volatile&>(holder.rounds) = holder.rounds + 1;
    }
}

using hosted::HostThreads;

// What a machine of several processors may be.
struct Shape {
    u32 cpus;
    HostThreads host_threads;
};
constexpr Shape shapes[] = { { 1, HostThreads::one }, { 2, HostThreads::one },
    { 4, HostThreads::one }, { 8, HostThreads::one }, { 2, HostThreads::one_each },
    { 4, HostThreads::one_each }, { 8, HostThreads::one_each } };

int in_system_of(Shape const& shape, std::function<void(Init const&)> body)
{
    return in_system(
        std::move(body), 32u << 20, {}, shape.cpus, arch::Isolation::off, shape.host_threads);
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

// Wakes the sleeper so often, each of the two bound to a processor; the machine's exit status.
int wakes_of(Sleeper& sleeper, Shape const& shape)
{
    return in_system_of(shape, [&](Init const& init) {
        constexpr u64 patience_us = 100'000'000;
        sleeper.port = init.port();
        sleeper.done = init.port();
        auto const start = [&](void (*entry)(u64), u32 cpu) {
            auto const thread = init.spawn(entry, reinterpret_cast<u64>(&sleeper));
            operate(init.capability("broker-sched"), Operation::thread_affinity,
                { thread, u64 { 1 } << cpu });
        };
        start(sleep_often, shape.cpus - 1);
        start(wake_often, 0);
        auto const end_us = call(Call::time, {}).words[2] / 1000 + patience_us;
        EXPECT_EQ(call(Call::port_receive, {}, sleeper.done, 0, end_us).number, status_ok)
            << "after " << sleeper.woken << " calls";
    });
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

template <typename Condition>
bool wait_for(Condition&& condition)
{
    constexpr u64 tries_max = 4000;
    for (u64 tries = 0; tries < tries_max && !condition(); ++tries) {
        auto const wake = call(Call::time, {}).words[2] / 1000 + 5000;
        static_cast<void>(
            call(Call::port_receive, {}, call(Call::port_allocate, {}).words[2], 0, wake));
    }
    return condition();
}

} // namespace

// Goal: calls from and to every processor are answered once, each with its own answer.
TEST(Processors, CallsCrossThem)
{
    for (auto const& shape : shapes) {
        EXPECT_EQ(in_system_of(shape,
                      [](Init const& init) {
                          Traffic traffic { .port = init.port() };
                          for (u64 server = 0; server < 2; ++server)
                              init.spawn(serve_for_ever, reinterpret_cast<u64>(&traffic));
                          for (u64 client = 0; client < clients; ++client)
                              init.spawn(call_many, reinterpret_cast<u64>(&traffic));
                          EXPECT_TRUE(wait_for([&] {
                              return __atomic_load_n(&traffic.finished, __ATOMIC_ACQUIRE)
                                  == clients;
                          }));
                          EXPECT_EQ(traffic.right, clients * calls_each);
                          EXPECT_EQ(traffic.served, clients * calls_each);
                      }),
            0);
    }
}

// Goal: no processor sleeps through a call of another one.
// Method: a thread wakes another one, each bound to a processor that has nothing else to do, at
// every instant of its way back to sleep. Nothing else would wake it: whoever waits for the end
// waits once.
TEST(Processors, NoneSleepsThroughACall)
{
    for (auto const& shape : shapes) {
        if (shape.host_threads == HostThreads::one)
            continue; // there, nobody is on the way to anything while another one runs
        Sleeper sleeper;
        EXPECT_EQ(wakes_of(sleeper, shape), 0);
    }
}

// Goal: nor does one that the host halts on its way.
// Method: a signal's handler in the place of the host. A call that was lost is found when the next
// thing ends the sleep (Processors::sleep), as the timer's last tick soon does.
TEST(Processors, NoneSleepsThroughACallWhereverItIsHalted)
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
    EXPECT_EQ(wakes_of(sleeper, { 2, HostThreads::one_each }), 0);
    stop.store(true);
    halts_it.join();
    EXPECT_GT(halts.load(), 100u);
}

// Goal: whoever preempts a thread, and wherever it goes on, its vector registers are its own.
// Method: more threads than processors, each with every register full of its own bits.
TEST(Processors, VectorRegistersAreTheThreads)
{
    for (auto const& shape : shapes) {
        if (shape.cpus > 2)
            continue;
        EXPECT_EQ(in_system_of(shape,
                      [](Init const& init) {
                          constexpr u64 holders_max = 4;
                          constexpr u64 rounds_each = 10;
                          Holder holders[holders_max];
                          for (u64 number = 0; number < holders_max; ++number) {
                              holders[number].seed = number + 1;
                              init.spawn(hold_for_ever, reinterpret_cast<u64>(&holders[number]));
                          }
                          for (auto const& holder : holders) {
                              EXPECT_TRUE(wait_for([&] {
                                  return const_cast<u64 const volatile&>(holder.rounds)
                                      >= rounds_each;
                              }));
                              EXPECT_EQ(holder.wrong, 0u);
                          }
                      }),
            0);
    }
}

// Goal: a thread that is bound to a processor runs, and one that is bound to none is refused.
TEST(Processors, AffinityIsKept)
{
    for (auto const host_threads : { HostThreads::one, HostThreads::one_each })
        EXPECT_EQ(
            in_system_of({ 2, host_threads },
                [](Init const& init) {
                    auto const broker = init.capability("broker-sched");
                    Holder holder { .seed = 9 };
                    auto const thread = init.spawn(hold_for_ever, reinterpret_cast<u64>(&holder));
                    EXPECT_EQ(operate(broker, Operation::thread_affinity, { thread, 4 }).number,
                        status_of(Error::invalid));
                    for (u64 const cpus : { 2u, 1u, 3u }) {
                        EXPECT_EQ(
                            operate(broker, Operation::thread_affinity, { thread, cpus }).number,
                            status_ok);
                        auto const from = const_cast<u64 volatile&>(holder.rounds);
                        EXPECT_TRUE(wait_for(
                            [&] { return const_cast<u64 volatile&>(holder.rounds) > from; }));
                    }
                    EXPECT_EQ(holder.wrong, 0u);
                }),
            0);
}

} // namespace gemel
