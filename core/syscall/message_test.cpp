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

namespace {

// A handle that was looked at: the kernel knows it to be alive.
u64 known(u64 handle)
{
    call(Call::cap_move, { handle, 0, static_cast<u64>(CapOperation::inspect) << 16 });
    return handle;
}

u64 derived(u64 port, Rights rights)
{
    return known(call(Call::cap_move, { port, 0, rights }).words[2]);
}

// Calls for ever, with the number of the call.
void counting_client(u64 port)
{
    for (u64 i = 1;; ++i)
        call(Call::port_receive, { port, 1, i }, 0, flag_call);
}

} // namespace

// Goal: a call whose receiver waits is checked like any other.
// Method: a server that waits, and handles that are each wrong in one way.
TEST(Message, AWaitingReceiverChangesNoCheck)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const port = init.port();
        init.spawn(plus_one_server, port);
        auto const status_of_call = [](u64 handle, u64 tag) {
            call(Call::sched_yield, {}); // the server waits
            return call(Call::port_receive, { handle, tag, 1 }, 0, flag_call).number;
        };
        EXPECT_EQ(status_of_call(port, 1), status_ok);
        EXPECT_EQ(status_of_call(derived(port, rights_of(Right::call)), 1), status_ok);
        EXPECT_EQ(status_of_call(derived(port, rights_of(Right::receive)), 1),
            status_of(Error::no_rights));
        EXPECT_EQ(status_of_call(port, 0xFF00), status_of(Error::invalid));
        EXPECT_EQ(status_of_call(port + (u64 { 1 } << 32), 1), status_of(Error::cap_invalid));
        auto const once = derived(port, Right::send | Right::send_once);
        EXPECT_EQ(status_of_call(once, 1), status_ok);
        EXPECT_EQ(status_of_call(once, 1), status_of(Error::cap_invalid));
        auto const parent = derived(port, rights_all);
        auto const child = derived(parent, rights_all);
        EXPECT_EQ(status_of_call(child, 1), status_ok);
        call(Call::cap_move, { parent, 0, static_cast<u64>(CapOperation::revoke) << 16 });
        EXPECT_EQ(status_of_call(child, 1), status_of(Error::revoked));
        EXPECT_EQ(
            status_of_call(known(init.capability("task-self")), 1), status_of(Error::port_invalid));
        auto const dead = known(init.port());
        call(Call::cap_move,
            { derived(dead, rights_all), 0, static_cast<u64>(CapOperation::destroy) << 16 });
        init.spawn(plus_one_server, init.port()); // where the dead one was
        EXPECT_EQ(status_of_call(dead, 1), status_of(Error::dead));
    }),
        0);
}

// Goal: an answer before the next receive is checked like any other, and what waits is received.
TEST(Message, AnAnswerBeforeReceivingChangesNoCheck)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const port = init.port();
        auto const answer = [](u64 token, u64 from) {
            return call(Call::port_receive, { token, 0 }, from, flag_send_first);
        };
        init.spawn(counting_client, port);
        auto const first = call(Call::port_receive, {}, port);
        EXPECT_EQ(first.words[2], 1u);
        auto const second = answer(first.port, port);
        EXPECT_EQ(second.words[2], 2u);
        EXPECT_EQ(answer(first.port, port).number, status_of(Error::cap_invalid));
        EXPECT_EQ(answer(second.port, derived(port, rights_of(Right::send))).number,
            status_of(Error::no_rights));
        EXPECT_EQ(call(Call::signal, { port, 8 }).number, status_ok);
        auto const signalled = answer(second.port, port);
        EXPECT_EQ(signalled.words[1], static_cast<u64>(KernelTag::notification));
        EXPECT_EQ(signalled.words[2], 8u);
        auto const third = call(Call::port_receive, {}, port);
        EXPECT_EQ(third.words[2], 3u);
        call(Call::port_send, { port, 5, 77 });
        EXPECT_EQ(answer(third.port, port).words[2], 77u);
        EXPECT_EQ(call(Call::port_receive, {}, port).words[2], 4u);
    }),
        0);
}

// Goal: an answer that cannot be followed by a receive changes nothing: its token stays good.
// Method: a good token and handles that are each wrong in one way; then the same token, rightly.
TEST(Message, AnAnswerWithoutAPortToReceiveFromIsNotGiven)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const port = init.port();
        init.spawn(counting_client, port);
        auto const token = call(Call::port_receive, {}, port).port;
        auto const status_from = [&](u64 from, u64 answered) {
            return call(Call::port_receive, { answered, 0 }, from, flag_send_first).number;
        };
        EXPECT_EQ(status_from(port + (u64 { 1 } << 32), token), status_of(Error::cap_invalid));
        auto const other
            = operate(init.capability("broker-task"), Operation::task_new, { 64, 32, 2, 'p' });
        auto const theirs = call(Call::cap_move, { port, other.words[2], rights_all });
        EXPECT_EQ(theirs.number, status_ok);
        EXPECT_EQ(status_from(theirs.words[2], token), status_of(Error::not_owner));
        EXPECT_EQ(status_from(known(init.capability("task-self")), token),
            status_of(Error::port_invalid));
        auto const dead = known(init.port());
        call(Call::cap_move,
            { derived(dead, rights_all), 0, static_cast<u64>(CapOperation::destroy) << 16 });
        EXPECT_EQ(status_from(dead, token), status_of(Error::dead));
        constexpr u64 nobody = 1000; // a thread that there is not
        EXPECT_EQ(status_from(port, reply_token_bit | nobody), status_of(Error::cap_invalid));
        auto const next = call(Call::port_receive, { token, 0 }, port, flag_send_first);
        EXPECT_EQ(next.number, status_ok);
        EXPECT_EQ(next.words[2], 2u) << "the client was answered once";
    }),
        0);
}

} // namespace gemel
