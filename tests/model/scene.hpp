// A kernel with what it takes to be refused: two tasks beside init, each with a thread that runs
// when asked to, and handles that are wrong in every way a handle can be.
#pragma once

#include "tests/model/deeds.hpp"
#include "tests/model/kernel_fixture.hpp"

#include <gtest/gtest.h>

namespace gemel {

inline constexpr u64 number_of(Call call, unsigned flags = 0, u64 deadline_us = 0)
{
    return static_cast<u64>(call) | u64 { flags } << 8 | deadline_us << 16;
}
inline constexpr auto flag_call = static_cast<unsigned>(ReceiveFlag::call);
inline constexpr auto flag_send_first = static_cast<unsigned>(ReceiveFlag::send_first);
inline constexpr auto flag_poll = static_cast<unsigned>(ReceiveFlag::poll);
inline constexpr u16 vm_read = static_cast<u16>(VmFlag::read);
inline constexpr u16 vm_write = static_cast<u16>(VmFlag::write);
inline constexpr u16 vm_execute = static_cast<u16>(VmFlag::execute);
inline constexpr u16 vm_region = static_cast<u16>(VmFlag::region);
inline constexpr u16 vm_lasting = static_cast<u16>(VmFlag::lasting);

using Words = std::initializer_list<u64>;

struct Scene : KernelFixture {
    // Init takes turns with the threads it makes: all are of its priority.
    explicit Scene(u32 cpus = 1, arch::Isolation isolation = arch::Isolation::off)
        : KernelFixture(16u << 20, cpus, isolation)
        , self(capability("task-self"))
    {
    }

    // --- calls of whoever runs; the status ---
    u64 call(Call number, Words words, u64 port = 0)
    {
        trap(words, number_of(number), port);
        return status();
    }
    u64 allocate_port()
    {
        EXPECT_EQ(call(Call::port_allocate, {}), status_ok);
        return word(2);
    }
    u64 cap(CapOperation operation, u64 source, Rights rights = rights_all, u64 task = 0,
        u64 operand = 0, u64 operand2 = 0)
    {
        return call(Call::cap_move,
            { source, task, rights | static_cast<u64>(operation) << 16, operand, operand2 });
    }
    u64 derived(u64 source, Rights rights = rights_all, u64 task = 0)
    {
        EXPECT_EQ(cap(CapOperation::derive, source, rights, task), status_ok);
        return word(2);
    }
    u64 badged(u64 source, u64 badge, Rights rights = rights_all)
    {
        EXPECT_EQ(cap(CapOperation::badge, source, rights, 0, badge), status_ok);
        return word(2);
    }
    u64 region(u64 pages)
    {
        EXPECT_EQ(
            call(Call::vm_allocate, { 0, pages * page_bytes, vm_read | vm_write }), status_ok);
        return word(3);
    }
    u64 broker(char const* name, Operation operation, Words arguments)
    {
        return broker_of(capability(name), operation, arguments);
    }
    u64 broker_of(u64 handle, Operation operation, Words arguments)
    {
        operate(handle, operation, arguments);
        return status();
    }
    u64 new_task(u64 pages, u64 rows, u64 threads)
    {
        EXPECT_EQ(broker("broker-task", Operation::task_new, { pages, rows, threads, 't', 0 }),
            status_ok);
        return word(2);
    }
    u64 new_thread(u64 task, u64 priority = init_level, u64 fault_port = 0)
    {
        EXPECT_EQ(broker("broker-task", Operation::thread_new,
                      { task, 1, page_bytes, 0, priority, fault_port }),
            status_ok);
        return word(2);
    }
    u64 run(u64 thread) { return broker("broker-task", Operation::thread_run, { thread }); }
    // Ends a task and reaps it; the current thread holds it.
    void end(u64 task)
    {
        EXPECT_EQ(cap(CapOperation::destroy, task), status_ok);
        u64 cursor = 0;
        do {
            ASSERT_EQ(broker("broker-task", Operation::task_reap, { task, cursor }), status_ok);
            cursor = word(2);
        } while (cursor != 0);
    }
    void yield() { trap({}, number_of(Call::sched_yield)); }
    void pass_ticks(u64 ticks)
    {
        now_ns += ticks * tick_ns;
        kernel.on_interrupt(arch::tick_line);
    }

    // The call is refused with `error`, and nothing else has changed.
    void refuse(Error error, Words words, u64 number, u64 port = 0)
    {
        load(words, number, port);
        refused(error);
    }
    void refuse(Error error, u64 broker, Operation operation, Words arguments)
    {
        load(broker, operation, arguments);
        refused(error);
    }
    void refused(Error error)
    {
        auto const deed = asked();
        auto const before = facts();
        enter();
        refusals().add(deed, status());
        EXPECT_EQ(status(), status_of(error));
        EXPECT_EQ(difference(before, facts()), "");
        EXPECT_EQ(audit(), "");
    }

    // What this process's tests have seen refused, and why.
    static Ledger& refusals()
    {
        static Ledger all;
        return all;
    }
    // What is in the registers.
    Deed asked()
    {
        auto const handle = word(0);
        auto const index = static_cast<u32>(handle);
        auto const known = index < kernel.rows().size() && kernel.rows()[index].owner != 0
            && kernel.rows()[index].generation == handle >> 32;
        auto const is_broker
            = known && kernel.pages()[kernel.rows()[index].object].type == ObjectType::broker;
        return deed_of(current().frame.words(), status(), is_broker);
    }

    static constexpr u64 init_level = 5;
    u64 self;
};

} // namespace gemel
