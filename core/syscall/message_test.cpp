// Calls, replies, rings, notifications, deadlines: on the real kernel, as a program sees them.
#include "tests/support/in_system.hpp"

#include <gtest/gtest.h>

namespace gemel {

using namespace test;

namespace {

constexpr u64 flag_call = receive_flags(ReceiveFlag::call);
constexpr u64 flag_send_first = receive_flags(ReceiveFlag::send_first);
constexpr u64 flag_poll = receive_flags(ReceiveFlag::poll);

// Answers every call with its first word plus one.
void plus_one_server(u64 port)
{
    auto got = call(Call::port_receive, {}, port);
    for (;;) {
        auto words = got.words;
        got = call(Call::port_receive, { got.port, 0, words[2] + 1 }, port, flag_send_first);
    }
}

} // namespace

// Goal: a call is answered, many times over, with the words intact.
TEST(Message, ACallIsAnswered)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const port = init.port();
        init.spawn(plus_one_server, port);
        for (u64 i = 0; i < 1000; ++i) {
            auto const answer = call(Call::port_receive, { port, 7, i }, 0, flag_call);
            EXPECT_EQ(answer.number, status_ok);
            EXPECT_EQ(answer.words[2], i + 1);
        }
    }),
        0);
}

// Goal: a send that fails must not lose the handles it was given.
// Method: fill the port, send one more message carrying a handle, look at the handle.
TEST(Message, FullPortLeavesHandlesWithTheSender)
{
    in_system([](Init const& init) {
        auto const port = init.port();
        auto const gift = init.port();
        u32 sent = 0;
        while (call(Call::port_send, { port, 1 }).number == status_ok)
            ++sent;
        EXPECT_EQ(sent, port_ring_messages);
        auto const refused = call(Call::port_send, { port, tag_of(1, 1), 0, 0, 0, 0, 0, gift });
        EXPECT_EQ(refused.number, status_of(Error::port_full));
        EXPECT_EQ(call(Call::signal, { gift, 1 }).number, status_ok);
    });
}

// Goal: a wait ends at its deadline.
TEST(Message, AReceiveTimesOut)
{
    in_system([](Init const& init) {
        auto const port = init.port();
        auto const now_us = call(Call::time, {}).words[2] / 1000;
        EXPECT_EQ(call(Call::port_receive, {}, port, 0, now_us + 30'000).number,
            status_of(Error::timed_out));
        EXPECT_GE(call(Call::time, {}).words[2] / 1000, now_us + 30'000);
        EXPECT_EQ(
            call(Call::port_receive, {}, port, flag_poll).number, status_of(Error::timed_out));
    });
}

// Goal: notifications are or-ed and come first.
TEST(Message, SignalsAreOred)
{
    in_system([](Init const& init) {
        auto const port = init.port();
        call(Call::port_send, { port, 3, 42 });
        call(Call::signal, { port, 4 });
        call(Call::signal, { port, 1 });
        auto const first = call(Call::port_receive, {}, port);
        EXPECT_EQ(first.words[1], static_cast<u64>(KernelTag::notification));
        EXPECT_EQ(first.words[2], 5u);
        auto const second = call(Call::port_receive, {}, port);
        EXPECT_EQ(second.words[1], 3u);
        EXPECT_EQ(second.words[2], 42u);
    });
}

namespace {

void spin(u64 address)
{
    auto* counter = reinterpret_cast<volatile u64*>(address);
    for (;;)
        *counter = *counter + 1;
}

} // namespace

// Goal: a thread that never calls does not stop the others.
// Method: one spins for ever; the tick must take the processor from it.
TEST(Message, ALoopIsPreempted)
{
    EXPECT_EQ(in_system([](Init const& init) {
        u64 counter = 0;
        init.spawn(spin, reinterpret_cast<u64>(&counter));
        for (int i = 0; i < 5; ++i)
            call(Call::sched_yield, {});
        EXPECT_GT(counter, 0u);
    }),
        0);
}

} // namespace gemel
