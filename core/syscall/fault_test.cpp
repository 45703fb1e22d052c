// Faults are calls to the fault port: a pager can mend them and the thread goes on.
#include "tests/support/in_system.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

namespace gemel {

using namespace test;

namespace {

void touch(u64 address)
{
    *reinterpret_cast<volatile u64*>(address) = 77;
    call(Call::port_receive, { own_fault_port, 0, 5 }, 0, receive_flags(ReceiveFlag::call));
}

} // namespace

// Goal: a page fault reaches the fault port with its address; after mapping, the write succeeds;
// the end of the thread arrives as EXIT.
TEST(Fault, APagerMendsAFault)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const task = init.capability("task-self");
        auto const fault_port = init.port();
        auto const stack = call(Call::vm_allocate, { 0, 65536, 3 });
        auto const where = init.startup.address_begin + (u64 { 1000 } << 21);
        auto const thread = operate(init.capability("broker-task"), Operation::thread_new,
            { task, reinterpret_cast<u64>(&touch), stack.words[2] + 65536, where, 4, fault_port });
        EXPECT_EQ(thread.number, status_ok);
        EXPECT_EQ(
            operate(init.capability("broker-task"), Operation::thread_run, { thread.words[2] })
                .number,
            status_ok);
        auto const fault = call(Call::port_receive, {}, fault_port);
        EXPECT_EQ(fault.words[1] & 0xFFFF, static_cast<u64>(KernelTag::fault));
        EXPECT_EQ(fault.words[1] >> 16 & 0xFF, static_cast<u64>(FaultKind::page));
        EXPECT_EQ(fault.words[3], where);
        EXPECT_EQ(call(Call::vm_allocate, { where, 4096, 3 }).number, status_ok);
        auto const end = call(Call::port_receive, { fault.port, 0 }, fault_port,
            receive_flags(ReceiveFlag::send_first));
        EXPECT_EQ(end.words[1], static_cast<u64>(KernelTag::exit));
        EXPECT_EQ(end.words[2], 5u);
        EXPECT_EQ(*reinterpret_cast<u64*>(where), 77u);
    }),
        0);
}

// Goal: what is no answer to a fault is refused, and the fault can still be answered.
// Method: a thread ends and so calls its fault port; the answer's tag is wrong, then stop.
TEST(Fault, AnAnswerThatIsNoneIsRefused)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const fault_port = init.port();
        auto const stack = call(Call::vm_allocate, { 0, 65536, 3 });
        auto const word = call(Call::vm_allocate, { 0, 4096, 3 }).words[2];
        auto const broker = init.capability("broker-task");
        auto const thread = operate(broker, Operation::thread_new,
            { init.capability("task-self"), reinterpret_cast<u64>(&touch), stack.words[2] + 65536,
                word, 4, fault_port });
        EXPECT_EQ(operate(broker, Operation::thread_run, { thread.words[2] }).number, status_ok);
        auto const end = call(Call::port_receive, {}, fault_port);
        EXPECT_EQ(end.words[1], static_cast<u64>(KernelTag::exit));
        auto const answered = [&](u64 tag, u64 flags) {
            auto const now_us = call(Call::time, {}).words[2] / 1000;
            return call(Call::port_receive, { end.port, tag }, fault_port,
                receive_flags(ReceiveFlag::send_first) | flags, flags == 0 ? 0 : now_us)
                .number;
        };
        constexpr u64 no_answer = static_cast<u64>(FaultReply::fill) + 1;
        EXPECT_EQ(answered(no_answer, 0), status_of(Error::invalid));
        constexpr auto poll = receive_flags(ReceiveFlag::poll);
        EXPECT_EQ(answered(static_cast<u64>(FaultReply::stop), poll), status_of(Error::timed_out));
        EXPECT_EQ(
            answered(static_cast<u64>(FaultReply::stop), poll), status_of(Error::cap_invalid));
    }),
        0);
}

// Goal: a thread whose stack is none faults as it begins, and the machine goes on; once there is a
// stack, so does the thread.
// Method: stacks at several places where nothing is, read-only, or too small; then one that the
// fault's receiver maps.
TEST(Fault, AWildStackIsTheThreadsOwnFault)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const task = init.capability("task-self");
        auto const broker = init.capability("broker-task");
        auto const fault_port = init.port();
        auto const word = call(Call::vm_allocate, { 0, 4096, 3 }).words[2];
        auto const read_only = call(Call::vm_allocate, { 0, 65536, 1 }).words[2] + 65536;
        auto const later = init.startup.address_begin + (u64 { 1000 } << 21);
        for (auto const top : { u64 { 0 }, u64 { 8 }, u64 { 0x1234'5678 }, ~u64 { 0 }, read_only,
                 init.startup.address_end + 65536, u64 { 0x1100'0010'0000 }, later + 65536 }) {
            auto const thread = operate(broker, Operation::thread_new,
                { task, reinterpret_cast<u64>(&touch), top, word, 4, fault_port });
            EXPECT_EQ(operate(broker, Operation::thread_run, { thread.words[2] }).number, 0u);
            auto const fault = call(Call::port_receive, {}, fault_port);
            EXPECT_EQ(fault.words[1] & 0xFFFF, static_cast<u64>(KernelTag::fault));
            EXPECT_EQ(fault.words[1] >> 16 & 0xFF, static_cast<u64>(FaultKind::page));
            EXPECT_EQ(fault.words[3], top - 8);
            if (top != later + 65536) {
                call(Call::cap_move,
                    { thread.words[2], 0, static_cast<u64>(CapOperation::destroy) << 16 });
                continue;
            }
            EXPECT_EQ(call(Call::vm_allocate, { later, 65536, 3 }).number, status_ok);
            auto const end = call(Call::port_receive, { fault.port, 0 }, fault_port,
                receive_flags(ReceiveFlag::send_first));
            EXPECT_EQ(end.words[1], static_cast<u64>(KernelTag::exit));
        }
        EXPECT_EQ(*reinterpret_cast<u64*>(word), 77u);
    }),
        0);
}

void recurse_and_call(u64 depth)
{
    volatile char room[64];
    room[0] = static_cast<char>(depth);
    call(Call::time, {});
    if (depth != ~u64 { 0 })
        recurse_and_call(depth + 1);
    room[1] = room[0];
}

// Goal: a thread that runs out of stack in a system call ends itself, not the machine.
// Method: an endless recursion that calls the kernel at every depth, from many starting depths.
TEST(Fault, AStackThatEndsInACallIsTheThreadsOwnFault)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const broker = init.capability("broker-task");
        auto const fault_port = init.port();
        auto const stack = call(Call::vm_allocate, { 0, 65536, 3 }).words[2];
        for (u64 shift = 0; shift < 4096; shift += 16 * 7) {
            auto const thread = operate(broker, Operation::thread_new,
                { init.capability("task-self"), reinterpret_cast<u64>(&recurse_and_call),
                    stack + 65536 - shift, 0, 4, fault_port });
            EXPECT_EQ(operate(broker, Operation::thread_run, { thread.words[2] }).number, 0u);
            auto const fault = call(Call::port_receive, {}, fault_port);
            EXPECT_EQ(fault.words[1] & 0xFFFF, static_cast<u64>(KernelTag::fault));
            call(Call::cap_move,
                { thread.words[2], 0, static_cast<u64>(CapOperation::destroy) << 16 });
        }
    }),
        0);
}

namespace {

enum class Deed : u8 { computes, calls };

// What a thread does over and over where only so much of its stack is left.
struct Low {
    u64 stack_end = 0;
    u64 bytes_left = 0;
    Deed deed = Deed::computes;
    bool stop = false;
};

// AddressSanitizer would make its frame larger than what is left.
[[gnu::noinline, gnu::no_sanitize_address]] void work_low(Low& low)
{
    volatile char room[64];
    room[0] = 0;
    if (reinterpret_cast<u64>(__builtin_frame_address(0)) > low.stack_end + low.bytes_left)
        work_low(low);
    while (!__atomic_load_n(&low.stop, __ATOMIC_RELAXED)) {
        room[0] = 1;
        if (low.deed == Deed::calls)
            call(Call::time, {});
    }
    room[1] = room[0];
}

void begin_low(u64 argument)
{
    work_low(*reinterpret_cast<Low*>(argument));
    call(Call::port_receive, { own_fault_port, 0, 6 }, 0, receive_flags(ReceiveFlag::call));
}

// A thread that works where so much is left of its stack, until it faults or is told to stop.
struct LowThread {
    static constexpr u64 stack_bytes = 65536;
    static constexpr u64 patience_us = 35'000; // three ticks

    Init const& init;
    u64 fault_port = init.port();
    u64 stack = call(Call::vm_allocate, { 0, stack_bytes, 3 }).words[2];

    // What its fault port heard meanwhile: timed_out for nothing; and then whether it ended well.
    u64 work(u64 bytes_left, Deed deed) const
    {
        Low low { stack, bytes_left, deed };
        auto const broker = init.capability("broker-task");
        auto const thread = operate(broker, Operation::thread_new,
            { init.capability("task-self"), reinterpret_cast<u64>(&begin_low), stack + stack_bytes,
                reinterpret_cast<u64>(&low), 4, fault_port });
        EXPECT_EQ(operate(broker, Operation::thread_run, { thread.words[2] }).number, status_ok);
        auto const until = call(Call::time, {}).words[2] / 1000 + patience_us;
        auto const heard = call(Call::port_receive, {}, fault_port, 0, until).number;
        if (heard == status_of(Error::timed_out)) {
            __atomic_store_n(&low.stop, true, __ATOMIC_RELAXED);
            auto const end = call(Call::port_receive, {}, fault_port);
            EXPECT_EQ(end.words[1], static_cast<u64>(KernelTag::exit));
        }
        call(Call::cap_move, { thread.words[2], 0, static_cast<u64>(CapOperation::destroy) << 16 });
        return heard;
    }
};

int in_system_on(hosted::HostThreads host_threads, std::function<void(Init const&)> body)
{
    return in_system(std::move(body), 32u << 20, {}, 2, arch::Isolation::off, host_threads);
}

} // namespace

// Goal: a tick asks nothing of the stack of whom it interrupts.
// Method: a thread computes with ever more of its stack left, and at each place for several ticks.
TEST(Fault, ATickNeedsNoStackOfTheThreads)
{
    constexpr u64 step = 512;
    constexpr u64 most = 18 * step;
    for (auto const host_threads : { hosted::HostThreads::one, hosted::HostThreads::one_each })
        EXPECT_EQ(
            in_system_on(host_threads,
                [](Init const& init) {
                    LowThread const thread { init };
                    for (u64 left = step; left <= most; left += step)
                        ASSERT_EQ(thread.work(left, Deed::computes), status_of(Error::timed_out))
                            << "with " << left << " bytes left";
                }),
            0);
}

// Goal: the kernel has room below a call that was not too low to be made, also for a tick that
// comes amid it. Method: a thread calls with ever more of its stack left; first it faults.
TEST(Fault, ACallHasRoomForATick)
{
#if defined(__SANITIZE_ADDRESS__)
    constexpr u64 steps = 100; // its frames are larger
#else
    constexpr u64 steps = 20;
#endif
    constexpr u64 step = 64;
    constexpr u64 most = 4096 + steps * step;
    EXPECT_EQ(in_system_on(hosted::HostThreads::one,
                  [](Init const& init) {
                      LowThread const thread { init };
                      u64 well = 0;
                      for (u64 left = 4096; left <= most; left += step)
                          well += thread.work(left, Deed::calls) == status_of(Error::timed_out);
                      EXPECT_GT(well, 5u);
                      EXPECT_LT(well, most / step);
                  }),
        0);
}

} // namespace gemel
