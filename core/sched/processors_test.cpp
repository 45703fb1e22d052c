// Several processors: the same system calls, interleaved at every kernel exit, or by the host.
#include "tests/support/in_system.hpp"
#include "tests/support/vectors.hpp"

#include <gtest/gtest.h>

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
