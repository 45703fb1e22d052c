// Brokers: what a narrowed capability may still do.
#include "core/object/broker.hpp"

#include "tests/support/in_system.hpp"

#include <gtest/gtest.h>

namespace gemel {

using namespace test;

namespace {

u64 narrowed(u64 broker, Operation first, unsigned count, u32 argument, u32 arguments)
{
    auto const rights = Right::call | Right::derive;
    auto const operation = static_cast<u64>(CapOperation::badge) << 16;
    auto const answer = call(Call::cap_move,
        { broker, 0, rights | operation, broker_badge(first, count, argument, arguments) });
    return answer.number == status_ok ? answer.words[2] : 0;
}

} // namespace

// Goal: a driver's broker reaches its own ports only, also with the last byte of a wide access, and
// cannot be widened again.
TEST(Broker, ANarrowedPortBrokerReachesItsPortsOnly)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const broker = init.capability("broker-pio");
        auto const mine = narrowed(broker, Operation::pio_read, 2, 0x1000, 8);
        EXPECT_NE(mine, 0u);
        auto const read = [&](u64 port, u64 bytes) {
            return operate(mine, Operation::pio_read, { port, bytes }).number;
        };
        EXPECT_EQ(read(0x1000, 4), status_ok);
        EXPECT_EQ(read(0x1004, 4), status_ok);
        EXPECT_EQ(read(0x1006, 4), status_of(Error::no_rights));
        EXPECT_EQ(read(0xFFF, 1), status_of(Error::no_rights));
        EXPECT_EQ(read(0x1008, 1), status_of(Error::no_rights));
        EXPECT_NE(narrowed(mine, Operation::pio_read, 1, 0x1004, 4), 0u);
        EXPECT_EQ(narrowed(mine, Operation::pio_read, 2, 0x1000, 9), 0u);
        EXPECT_EQ(narrowed(mine, Operation::pio_read, 3, 0x1000, 8), 0u);
        EXPECT_EQ(narrowed(mine, Operation::pio_read, 2, 0, 0), 0u);
        EXPECT_EQ(
            operate(mine, Operation::irq_acknowledge, { 5 }).number, status_of(Error::no_rights));
    }),
        0);
}

// Goal: an operation that wants a handle checks its type and its rights.
TEST(Broker, HandleArgumentsAreChecked)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const task = init.capability("task-self");
        auto const broker = init.capability("broker-task");
        auto const port = init.port();
        EXPECT_EQ(
            operate(broker, Operation::thread_run, { port }).number, status_of(Error::cap_invalid));
        EXPECT_EQ(operate(broker, Operation::thread_new, { task, 1, 1, 0, 8 }).number,
            status_of(Error::invalid));
        EXPECT_EQ(operate(broker, Operation::task_reap, { task, 0 }).number,
            status_of(Error::not_runnable));
        EXPECT_EQ(
            operate(broker, static_cast<Operation>(0x1F), {}).number, status_of(Error::bad_call));
    }),
        0);
}

} // namespace gemel
