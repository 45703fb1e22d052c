// In ThreadSanitizer's build: races between tasks over a region that both map, each at an address
// of its own.
#include "servers/rt/test/in_program.hpp"

#include <gtest/gtest.h>

namespace gemel {
namespace {

constexpr usize pages = 16;
constexpr u16 touched = 1;

enum class Order : u8 { none, message };

// In a task of its own, on a stack whose lowest page is the shared one. Uses nothing but system
// calls: this task has no run-time.
void touch(u64 port)
{
    u64 here = 0;
    auto* on_stack = &here;
    asm volatile("" : "+r"(on_stack)); // what is found from here on is not `here` to the compiler
    auto const stack = align_down<u64>(reinterpret_cast<u64>(on_stack), region_bytes_max);
    *reinterpret_cast<u64*>(stack) += 1;
    (void)system::port_send(port, { .tag = tag_of(touched) });
    for (;;)
        (void)system::sched_yield();
}

// The other task, with `region` as its memory.
Handle start_toucher(
    TaskBroker const& tasks, MemoryBroker const& memory, Handle const& region, Handle const& port)
{
    auto task = std::move(*tasks.task_new({ .pages = 64, .rows = 16, .threads = 1 }, "toucher"));
    u64 place = 0;
    constexpr u64 windows = 0x2000'0000'0000;
    constexpr u64 window_bytes = u64 { 1 } << 36;
    for (u64 window = 1; window < 16 && !place; ++window) {
        auto const address = windows + window * window_bytes + (u64 { 1 } << 30);
        if (memory.map(task, region, address, VmFlag::read | VmFlag::write))
            place = address;
    }
    EXPECT_NE(place, 0u);
    auto const theirs = system::cap_move(
        port.value(), task.value(), CapOperation::derive, rights_of(Right::send));
    auto const thread = tasks.thread_new(task,
        { .entry = reinterpret_cast<u64>(&touch),
            .stack_top = place + pages * page_bytes,
            .argument = theirs->word2,
            .priority = 4 },
        Handle());
    EXPECT_TRUE(thread && tasks.thread_run(*thread));
    return task;
}

// What is told of a run in which both tasks touch the region's first page.
std::string told(Order order)
{
    testing::internal::CaptureStderr();
    EXPECT_EQ(test::in_program([order](Env& env) {
        TaskBroker const tasks { std::move(*env.take_handle("broker-task")) };
        MemoryBroker const memory { std::move(*env.take_handle("broker-mm")) };
        Handle const port { *system::port_allocate() };
        auto const mine = *system::vm_allocate(0, pages * page_bytes, VmFlag::read | VmFlag::write);
        Handle const region { mine.region };
        auto* shared = reinterpret_cast<u64*>(mine.address);
        *shared = 40; // before the other task starts: in order
        auto const task = start_toucher(tasks, memory, region, port);
        if (order == Order::none)
            *shared += 1;
        EXPECT_TRUE(system::port_receive(port.value()));
        if (order == Order::message)
            *shared += 1;
        EXPECT_EQ(*shared, 42u);
        (void)system::time_ns(); // what was found is told at a kernel entry
    }),
        0);
    return testing::internal::GetCapturedStderr();
}

} // namespace

// Goal: two tasks that write to one page without order are told of, each time in the same words.
TEST(Race, BetweenTasksIsTold)
{
    auto const first = told(Order::none);
    EXPECT_NE(first.find("gemel: a race"), std::string::npos) << first;
    EXPECT_NE(first.find("and another thread's"), std::string::npos) << first;
}

// Goal: what a message carries is in order.
TEST(Race, AMessageIsOrder)
{
    EXPECT_EQ(told(Order::message), "");
}

} // namespace gemel
