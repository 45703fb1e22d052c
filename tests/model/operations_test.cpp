// Goal: broker operations do what docs/brokers says when they are not refused, the scheduler and
// the tick included, on one processor and on two. Method: each on the real kernel with threads that
// are only registers.
#include "tests/model/scene.hpp"

#include <cstring>

namespace gemel {
namespace {

constexpr u64 spurious = arch::interrupt_lines_max;

u64 name_of_task(char const* name)
{
    u64 word = 0;
    __builtin_memcpy(&word, name, strlen(name));
    return word;
}

} // namespace

TEST(Operations, AuditTellsWhatThereIs)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const badged = scene.badged(port, 77, Right::send | Right::call);
    auto const task = scene.new_task(20, 10, 2);
    auto const thread = scene.new_thread(task);
    ASSERT_EQ(
        scene.broker("broker-audit", Operation::audit_row, { badged & 0xFFFF'FFFF }), status_ok);
    EXPECT_EQ(scene.word(2), 1 | u64 { static_cast<u8>(ObjectType::port) } << 32);
    EXPECT_EQ(scene.word(3), (Right::send | Right::call) | u64 { 1 } << 16);
    EXPECT_EQ(scene.word(4), 77u);
    EXPECT_EQ(scene.word(6), port & 0xFFFF'FFFF);
    EXPECT_EQ(scene.word(7), badged >> 32);
    auto const object = scene.word(5);
    ASSERT_EQ(
        scene.broker("broker-audit", Operation::audit_row, { port & 0xFFFF'FFFF }), status_ok);
    EXPECT_EQ(scene.word(3) >> 32, 1u); // children
    auto const free_row = scene.kernel.rows().size() - 1;
    ASSERT_EQ(scene.broker("broker-audit", Operation::audit_row, { free_row }), status_ok);
    EXPECT_EQ(scene.word(2), 0u);
    ASSERT_EQ(scene.broker("broker-audit", Operation::audit_task, { 2 }), status_ok);
    EXPECT_EQ(scene.word(2), (20 - 2) | u64 { 10 } << 32); // its root, its thread
    EXPECT_EQ(scene.word(3), name_of_task("t\0\0\0\0\0\0"));
    EXPECT_EQ(scene.word(5), 1u);
    EXPECT_EQ(scene.word(6), 20u);
    EXPECT_EQ(scene.word(7), 10u);
    ASSERT_EQ(scene.broker("broker-audit", Operation::audit_thread, { 2 }), status_ok);
    EXPECT_EQ(scene.word(2), 2 | u64 { Scene::init_level } << 40);
    EXPECT_EQ(scene.word(6), 0u);
    // A thread that waits on the port, a message in it, and who receives.
    scene.run(scene.new_thread(scene.self));
    scene.yield();
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.current().id, 1);
    ASSERT_EQ(scene.call(Call::port_send, { port, 1 }), status_ok);
    ASSERT_EQ(scene.call(Call::signal, { port, 6 }), status_ok);
    ASSERT_EQ(scene.broker("broker-audit", Operation::audit_port, { object }), status_ok);
    EXPECT_EQ(scene.word(2), 1u);
    EXPECT_EQ(scene.word(3), 1u);
    EXPECT_EQ(scene.word(4), 0u);
    EXPECT_EQ(scene.word(5), 1u);
    EXPECT_EQ(scene.word(6), 6u);
    ASSERT_EQ(scene.broker("broker-audit", Operation::audit_thread, { 3 }), status_ok);
    EXPECT_EQ(scene.word(6), object);
    ASSERT_EQ(scene.broker("broker-audit", Operation::audit_totals, {}), status_ok);
    EXPECT_EQ(scene.word(3), scene.kernel.free_pages());
    EXPECT_EQ(scene.word(5), scene.kernel.free_rows());
    EXPECT_EQ(scene.word(6), 3 | u64 { 2 } << 32);
    static_cast<void>(thread);
}

TEST(Operations, RegistersAreReadAndWritten)
{
    Scene scene;
    auto const thread = scene.new_thread(scene.self);
    for (u64 index = 0; index < 12; ++index) {
        ASSERT_EQ(
            scene.broker("broker-task", Operation::thread_set, { thread, index, 100 + index }),
            status_ok);
        ASSERT_EQ(scene.broker("broker-task", Operation::thread_get, { thread, index }), status_ok);
        EXPECT_EQ(scene.word(2), 100 + index);
    }
    EXPECT_EQ(scene.broker("broker-machine", Operation::entropy, {}), status_ok);
    EXPECT_EQ(scene.call(Call::debug_print, { 2, 0, 0x0A2E }), status_ok);
    EXPECT_EQ(scene.call(Call::debug_print, { 0 }), status_ok);
}

// A thread that was told to be foreign makes calls of its own system's, which its fault port
// answers.
TEST(Operations, ForeignCallsGoToTheFaultPort)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const thread = scene.new_thread(scene.self, Scene::init_level, port);
    ASSERT_EQ(scene.broker("broker-task", Operation::thread_foreign, { thread, 1 }), status_ok);
    scene.run(thread);
    scene.yield();
    auto const id = scene.current().id;
    for (auto const reply : { FaultReply::return_value, FaultReply::resume, FaultReply::stop }) {
        scene.trap({ 11, 12, 13, 14, 15, 16 }, 39);
        ASSERT_EQ(scene.current().id, 1);
        ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
        EXPECT_EQ(scene.word(1), static_cast<u64>(KernelTag::foreign_call) | u64 { 39 } << 32);
        for (unsigned i = 0; i < 6; ++i)
            EXPECT_EQ(scene.word(2 + i), 11 + i);
        auto const token = scene.current().frame.port();
        scene.refuse(Error::invalid, { token, 4 }, number_of(Call::port_send));
        ASSERT_EQ(scene.call(Call::port_send, { token, static_cast<u64>(reply), 1234 }), status_ok);
        if (reply == FaultReply::stop) {
            EXPECT_EQ(scene.kernel.thread(id)->state, ThreadState::stopped);
            break;
        }
        scene.yield();
        ASSERT_EQ(scene.current().id, id);
        if (reply == FaultReply::return_value) {
            EXPECT_EQ(scene.status(), 1234u);
        }
    }
    ASSERT_EQ(scene.broker("broker-task", Operation::thread_foreign, { thread, 0 }), status_ok);
    EXPECT_EQ(scene.run(thread), status_ok);
    scene.yield();
    EXPECT_EQ(scene.call(Call::time, {}), status_ok); // a call of ours again
}

// Taking access away, unmapping for another, and pages that a pager fills in.
TEST(Operations, MemoryOfOthers)
{
    Scene scene;
    auto const region = scene.region(2);
    auto const lent = scene.derived(region, Right::read | Right::write);
    auto const task = scene.new_task(16, 8, 1);
    auto const window = scene.kernel.machine().user_begin(2);
    auto const mm = [&](Operation operation, Words words) {
        return scene.broker("broker-mm", operation, words);
    };
    ASSERT_EQ(mm(Operation::map, { task, lent, window, vm_read }), status_ok);
    ASSERT_EQ(mm(Operation::protect, { region, 0, 1, vm_read }), status_ok);
    EXPECT_EQ(scene.page_entry(region, 0),
        scene.machine.narrowed_entry(scene.page_entry(region, 0), vm_read));
    EXPECT_NE(scene.page_entry(region, 1),
        scene.machine.narrowed_entry(scene.page_entry(region, 1), vm_read));
    auto const other = scene.region(1);
    ASSERT_EQ(mm(Operation::fill, { region, 1, other, 0 }), status_ok);
    ASSERT_EQ(mm(Operation::fill, { region, 5, other, 0 }), status_ok); // where none was
    EXPECT_EQ(scene.page_entry(region, 5), scene.page_entry(other, 0));
    EXPECT_EQ(scene.broker("broker-phys", Operation::region_address, { region, 5 }), status_ok);
    EXPECT_EQ(scene.word(2), scene.machine.entry_target(scene.page_entry(other, 0)));
    ASSERT_EQ(mm(Operation::unmap, { task, window }), status_ok);
    EXPECT_EQ(mm(Operation::unmap, { task, window }), status_of(Error::not_found));
    EXPECT_EQ(
        mm(Operation::unmap, { task, window + (u64 { 1 } << 32) }), status_of(Error::not_found));
    EXPECT_EQ(scene.audit(), "");
    for (u64 const flags : Words { 0, 1, 2, 3 })
        EXPECT_EQ(
            scene.broker("broker-phys", Operation::region_physical, { 100, 3, flags }), status_ok);
}

// A pager's answer to a fault brings the page along: at once where the pager waits for the next
// fault, and the general way.
TEST(Operations, AnAnswerToAFaultFills)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const target = scene.region(2);
    auto const source = scene.region(2);
    scene.run(scene.new_thread(scene.self, Scene::init_level, port));
    auto const mm = scene.capability("broker-mm");
    constexpr auto fill = static_cast<u64>(FaultReply::fill);
    scene.yield();
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = 4096, .code = 6 });
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    auto const token = scene.current().frame.port();
    auto const id = static_cast<u32>(token);
    scene.trap({ token, fill, target, 1, source, 0, mm },
        number_of(Call::port_receive, flag_send_first), port);
    EXPECT_EQ(scene.current().id, id); // it goes on, and the pager waits
    EXPECT_EQ(scene.current().pending, PendingCall::message);
    EXPECT_EQ(scene.page_entry(target, 1), scene.page_entry(source, 0));
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = 8192, .code = 6 });
    ASSERT_EQ(scene.current().id, 1);
    EXPECT_EQ(scene.word(3), 8192u);
    auto const next = scene.current().frame.port();
    EXPECT_NE(next, token);
    scene.refuse(
        Error::cap_invalid, { token, fill, target, 7, source, 1, mm }, number_of(Call::port_send));
    ASSERT_EQ(scene.call(Call::port_send, { next, fill, target, 7, source, 1, mm }), status_ok);
    EXPECT_EQ(scene.page_entry(target, 7), scene.page_entry(source, 1));
    EXPECT_EQ(scene.kernel.thread(id)->state, ThreadState::ready);
    EXPECT_EQ(scene.audit(), "");
}

// A fault port whose capability was revoked is none: the thread stays stopped, and nobody hears.
TEST(Operations, ARevokedFaultPortHearsNothing)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const parent = scene.derived(port);
    auto const thread = scene.new_thread(
        scene.self, Scene::init_level, scene.derived(parent, Right::send | Right::call));
    scene.run(thread);
    ASSERT_EQ(scene.cap(CapOperation::revoke, parent), status_ok);
    scene.yield();
    auto const id = scene.current().id;
    ASSERT_NE(id, 1);
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = 4096, .code = 6 });
    ASSERT_EQ(scene.current().id, 1);
    EXPECT_EQ(scene.kernel.thread(id)->state, ThreadState::stopped);
    scene.trap({}, number_of(Call::port_receive, flag_poll), port);
    EXPECT_EQ(scene.status(), status_of(Error::timed_out));
}

// What the dead mapped, shared and served, all of it at once.
TEST(Operations, ATaskEndsWithEverythingItHad)
{
    Scene scene;
    auto const task = scene.new_task(64, 32, 4);
    auto const self = scene.derived(scene.self, rights_all, task);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, 2);
    auto const port = scene.allocate_port();
    auto const region = scene.region(3);
    auto const lent = scene.derived(region, Right::read | Right::write);
    ASSERT_EQ(scene.call(Call::vm_allocate, { 0, lent, vm_read | vm_region }), status_ok);
    ASSERT_EQ(scene.cap(CapOperation::derive, port, rights_all, self), status_ok);
    auto const port_here = scene.word(2);
    ASSERT_EQ(scene.cap(CapOperation::move, region, 0, self), status_ok);
    auto const region_here = scene.word(2);
    scene.yield();
    ASSERT_EQ(scene.call(Call::vm_allocate, { 0, region_here, vm_read | vm_region }), status_ok);
    auto const address = scene.word(2);
    scene.end(task);
    EXPECT_EQ(scene.audit(), "");
    EXPECT_EQ(scene.call(Call::signal, { port_here, 1 }), status_of(Error::dead));
    EXPECT_EQ(scene.call(Call::vm_deallocate, { address, 1 }), status_ok);
    EXPECT_EQ(scene.call(Call::vm_allocate, { 0, region_here, vm_read | vm_region }),
        status_of(Error::dead));
    EXPECT_EQ(scene.audit(), "");
}

// A page fault on a mapping that another's revocation has cut is mended by the kernel, and one on a
// mapping whose own capability is dead is not.
TEST(Operations, ACutMappingComesBack)
{
    Scene scene;
    auto const region = scene.region(1);
    auto const first = scene.derived(region, Right::read | Right::write | rights_of(Right::derive));
    auto const second = scene.derived(region, Right::read | Right::write);
    ASSERT_EQ(scene.call(Call::vm_allocate, { 0, second, vm_read | vm_region }), status_ok);
    auto const address = scene.word(2);
    ASSERT_EQ(scene.cap(CapOperation::revoke, first), status_ok);
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = address + 8, .code = 0 });
    EXPECT_EQ(scene.current().state, ThreadState::running);
    EXPECT_EQ(scene.audit(), "");
    scene.run(scene.new_thread(scene.self, 0)); // somebody to run then
    ASSERT_EQ(scene.cap(CapOperation::revoke, region), status_ok);
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = address + 8, .code = 0 });
    EXPECT_EQ(scene.kernel.thread(1)->state, ThreadState::stopped);
}

// The scheduler is told of each tick while another waits, and gives slots of a length.
TEST(Operations, TheSchedulerChooses)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const tells = [&] {
        scene.trap({}, number_of(Call::port_receive, flag_poll), port);
        return scene.status() == status_ok ? scene.word(2) : 0;
    };
    ASSERT_EQ(scene.broker("broker-sched", Operation::scheduler_register, { port, 8 }), status_ok);
    scene.pass_ticks(1);
    EXPECT_EQ(tells(), 0u); // nobody else waits
    auto const low = scene.new_thread(scene.self, 2);
    auto const same = scene.new_thread(scene.self);
    scene.run(low);
    scene.pass_ticks(1);
    EXPECT_EQ(tells(), 8u);
    scene.run(same);
    // For two ticks, whoever else is as urgent.
    scene.trap({ same, 2 }, number_of(Call::sched_switch));
    ASSERT_EQ(scene.current().id, 3);
    scene.pass_ticks(1);
    ASSERT_EQ(scene.current().id, 3);
    scene.pass_ticks(1);
    ASSERT_EQ(scene.current().id, 1);
    EXPECT_EQ(scene.broker("broker-sched", Operation::thread_priority, { same, 7 }), status_ok);
    ASSERT_EQ(scene.current().id, 3); // at once
    EXPECT_EQ(scene.broker("broker-sched", Operation::thread_priority, { low, 1 }), status_ok);
    EXPECT_EQ(scene.broker("broker-sched", Operation::thread_priority, { same, 0 }), status_ok);
    scene.yield();
    ASSERT_EQ(scene.current().id, 1);
    EXPECT_EQ(scene.cap(CapOperation::destroy, port), status_ok);
    scene.pass_ticks(1); // nobody is told
    EXPECT_EQ(scene.audit(), "");
}

// A thread in every state can be stopped, and its queue closes behind it.
TEST(Operations, StoppingInEveryState)
{
    Scene scene;
    auto const port = scene.allocate_port();
    u64 threads[3];
    for (auto& thread : threads) {
        thread = scene.new_thread(scene.self);
        scene.run(thread);
        scene.yield();
        while (scene.current().id == 1)
            scene.yield();
        scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call));
        ASSERT_EQ(scene.current().id, 1);
    }
    auto const stop = [&](u64 thread) {
        EXPECT_EQ(scene.broker("broker-task", Operation::thread_stop, { thread }), status_ok);
        EXPECT_EQ(scene.audit(), "");
    };
    stop(threads[1]); // from the middle of the queue
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    auto const token = scene.current().frame.port();
    stop(threads[0]); // while it waits for the answer
    scene.refuse(Error::cap_invalid, { token }, number_of(Call::port_send));
    EXPECT_EQ(scene.run(threads[0]), status_ok);
    stop(threads[0]); // ready
    stop(threads[0]); // stopped
    EXPECT_EQ(scene.cap(CapOperation::destroy, port), status_ok);
    EXPECT_EQ(scene.cap(CapOperation::destroy, threads[1]), status_ok);
    EXPECT_EQ(scene.audit(), "");
}

// A wait that thread_stop ends is over, and says so when the thread goes on.
TEST(Operations, AStoppedWaitSaysSo)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const thread = scene.new_thread(scene.self);
    scene.run(thread);
    scene.yield();
    enum class Way : u8 { receives, calls, awaits };
    for (auto const way : { Way::receives, Way::calls, Way::awaits }) {
        ASSERT_EQ(scene.current().id, 2);
        scene.trap({ port, 1 }, number_of(Call::port_receive, way == Way::receives ? 0 : flag_call),
            way == Way::receives ? port : 0);
        ASSERT_EQ(scene.current().id, 1);
        if (way == Way::awaits) {
            ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
        }
        EXPECT_EQ(scene.broker("broker-task", Operation::thread_stop, { thread }), status_ok);
        EXPECT_EQ(scene.run(thread), status_ok);
        scene.yield();
        ASSERT_EQ(scene.current().id, 2);
        EXPECT_EQ(scene.status(), status_of(Error::interrupted));
    }
    scene.yield(); // what is ready keeps its status
    EXPECT_EQ(scene.broker("broker-task", Operation::thread_stop, { thread }), status_ok);
    EXPECT_EQ(scene.run(thread), status_ok);
    scene.yield();
    ASSERT_EQ(scene.current().id, 2);
    EXPECT_EQ(scene.status(), status_ok);
}

// A thread that was stopped in a fault has no more to do with it: its next call carries its own
// words.
TEST(Operations, AStoppedFaultIsForgotten)
{
    Scene scene;
    auto const faults = scene.allocate_port();
    auto const port = scene.allocate_port();
    auto const thread = scene.new_thread(scene.self, Scene::init_level, faults);
    scene.run(thread);
    scene.yield();
    ASSERT_EQ(scene.current().id, 2);
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = 4096, .code = 0 });
    ASSERT_EQ(scene.broker("broker-task", Operation::thread_stop, { thread }), status_ok);
    ASSERT_EQ(scene.run(thread), status_ok);
    scene.yield();
    ASSERT_EQ(scene.current().id, 2);
    scene.trap({ port, 1, 42 }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    EXPECT_EQ(scene.word(2), 42u);
    ASSERT_EQ(scene.call(Call::port_send, { scene.current().frame.port(), 0, 43 }), status_ok);
    scene.yield();
    ASSERT_EQ(scene.current().id, 2);
    EXPECT_EQ(scene.word(2), 43u);
    scene.trap({}, number_of(Call::port_receive, flag_poll), faults);
    EXPECT_EQ(scene.status(), status_of(Error::timed_out)) << "the fault is told no more";
    EXPECT_EQ(scene.audit(), "");
}

// What another processor runs is stopped before anything is done to it: the call is made again.
TEST(Operations, ThreadsOfAnotherProcessor)
{
    Scene scene(2);
    scene.on_processor(1);
    scene.kernel.on_interrupt(spurious);
    ASSERT_TRUE(scene.idles());
    scene.on_processor(0);
    auto const thread = scene.new_thread(scene.self);
    scene.run(thread);
    EXPECT_NE(scene.machine.take_called_cpus() & 2, 0u);
    auto const start = [&] {
        scene.on_processor(1);
        scene.kernel.on_interrupt(spurious);
        ASSERT_FALSE(scene.idles());
        ASSERT_EQ(scene.current().id, 2);
        scene.on_processor(0);
    };
    start();
    // Each of these finds it in another's hands, and says so by being made anew.
    auto const twice = [&](Operation operation, Words words) {
        scene.machine.take_called_cpus();
        scene.load(scene.capability("broker-task"), operation, words);
        auto const number = scene.status();
        scene.enter();
        EXPECT_TRUE(scene.current().frame.take_restart());
        EXPECT_EQ(scene.status(), number);
        EXPECT_NE(scene.machine.take_called_cpus() & 2, 0u);
        scene.on_processor(1);
        scene.trap({}, number_of(Call::time)); // it enters, and is stopped
        EXPECT_TRUE(scene.idles());
        scene.on_processor(0);
        scene.enter();
        EXPECT_EQ(scene.status(), status_ok);
        EXPECT_EQ(scene.audit(), "");
    };
    twice(Operation::thread_stop, { thread });
    EXPECT_EQ(scene.kernel.thread(2)->state, ThreadState::stopped);
    EXPECT_TRUE(const_cast<Thread*>(scene.kernel.thread(2))->frame.take_restart());
    EXPECT_EQ(scene.run(thread), status_ok);
    start();
    scene.load(
        { thread, 0, static_cast<u64>(CapOperation::destroy) << 16 }, number_of(Call::cap_move));
    scene.enter();
    EXPECT_TRUE(scene.current().frame.take_restart());
    scene.on_processor(1);
    scene.kernel.on_interrupt(arch::tick_line); // a tick finds it stopped
    EXPECT_TRUE(scene.idles());
    scene.on_processor(0);
    scene.enter();
    EXPECT_EQ(scene.status(), status_ok);
    EXPECT_EQ(scene.kernel.thread(2), nullptr);
    EXPECT_EQ(scene.audit(), "");
}

// A thread is sent away from a processor that it may not use any more, and a faulting one that was
// stopped meanwhile does not fault.
TEST(Operations, AffinityAndFaultsOnTwoProcessors)
{
    Scene scene(2);
    scene.on_processor(1);
    scene.kernel.on_interrupt(spurious);
    scene.on_processor(0);
    auto const thread = scene.new_thread(scene.self);
    scene.run(thread);
    scene.on_processor(1);
    scene.kernel.on_interrupt(spurious);
    ASSERT_EQ(scene.current().id, 2);
    scene.on_processor(0);
    EXPECT_EQ(scene.broker("broker-sched", Operation::thread_affinity, { thread, 1 }), status_ok);
    scene.on_processor(1);
    scene.kernel.on_interrupt(spurious);
    EXPECT_TRUE(scene.idles());
    scene.on_processor(0);
    EXPECT_EQ(scene.kernel.thread(2)->state, ThreadState::ready);
    EXPECT_EQ(scene.audit(), "");
    EXPECT_EQ(scene.broker("broker-sched", Operation::thread_affinity, { thread, 2 }), status_ok);
    scene.on_processor(1);
    scene.kernel.on_interrupt(spurious);
    ASSERT_EQ(scene.current().id, 2);
    scene.on_processor(0);
    scene.operate(scene.capability("broker-task"), Operation::thread_stop, { thread });
    scene.on_processor(1);
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = 8, .code = 0 });
    EXPECT_TRUE(scene.idles());
    EXPECT_EQ(scene.kernel.thread(2)->state, ThreadState::stopped);
    EXPECT_EQ(scene.audit(), "");
}

// Two that wait until the same moment go on at once, each on a processor of its own, though one
// processor finds both.
TEST(Operations, NoProcessorRestsBesideAReadyThread)
{
    Scene scene(2);
    auto const port = scene.allocate_port();
    scene.run(scene.new_thread(scene.self));
    scene.on_processor(1);
    scene.kernel.on_interrupt(spurious);
    ASSERT_EQ(scene.current().id, 2);
    for (u32 processor : { 0u, 1u }) {
        scene.on_processor(processor);
        scene.trap({}, number_of(Call::port_receive, 0, tick_ns / 1000), port);
        ASSERT_TRUE(scene.idles());
    }
    scene.machine.take_called_cpus();
    scene.pass_ticks(2); // on the second
    ASSERT_FALSE(scene.idles());
    EXPECT_EQ(scene.audit(), "");
    EXPECT_EQ(scene.machine.take_called_cpus(), 1u);
    scene.on_processor(0);
    scene.kernel.on_interrupt(spurious);
    EXPECT_FALSE(scene.idles());
}

// The same where the second to wake is more urgent, and may run on the one processor only that had
// taken the first.
TEST(Operations, NoProcessorRestsBesideOneThatIsPutOff)
{
    Scene scene(2);
    auto const port = scene.allocate_port();
    auto const confined = scene.new_thread(scene.self, 6);
    EXPECT_EQ(scene.broker("broker-sched", Operation::thread_affinity, { confined, 2 }), status_ok);
    scene.run(confined);
    for (u32 processor : { 1u, 0u }) {
        scene.on_processor(processor);
        if (scene.idles())
            scene.kernel.on_interrupt(spurious);
        scene.trap({}, number_of(Call::port_receive, 0, tick_ns / 1000), port);
        ASSERT_TRUE(scene.idles());
    }
    scene.on_processor(1);
    scene.machine.take_called_cpus();
    scene.pass_ticks(2);
    ASSERT_EQ(scene.current().id, 2);
    EXPECT_EQ(scene.audit(), "");
    EXPECT_EQ(scene.machine.take_called_cpus(), 1u);
    scene.on_processor(0);
    scene.kernel.on_interrupt(spurious);
    ASSERT_FALSE(scene.idles());
    EXPECT_EQ(scene.current().id, 1);
}

// The machine's own ends, not a quota's: pages, rows, threads and tasks.
TEST(Operations, TheMachineIsFull)
{
    Scene scene;
    u64 tasks = 0;
    while (scene.broker("broker-task", Operation::task_new, { 3, 0, 1, 0, 0 }) == status_ok)
        ++tasks;
    EXPECT_EQ(scene.status(), status_of(Error::no_memory));
    EXPECT_EQ(tasks, tasks_max - 2); // the kernel's, and init
    EXPECT_EQ(scene.audit(), "");
    while (scene.call(Call::sched_spawn, { 1, page_bytes }) == status_ok) { }
    EXPECT_EQ(scene.status(), status_of(Error::quota));
    EXPECT_EQ(scene.audit(), "");
}

// An answer that wakes its caller stands, though the receive after it finds nothing.
TEST(Operations, AnAnswerBeforeAnEmptyPoll)
{
    Scene scene;
    auto const port = scene.allocate_port();
    scene.run(scene.new_thread(scene.self));
    scene.yield();
    scene.trap({ port, 1, 5 }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    auto const token = scene.current().frame.port();
    scene.trap({ token, 0, 6 }, number_of(Call::port_receive, flag_send_first | flag_poll), port);
    EXPECT_EQ(scene.status(), status_of(Error::timed_out));
    scene.yield();
    EXPECT_EQ(scene.current().id, 2);
    EXPECT_EQ(scene.word(2), 6u);
}

// A call hands the processor to its receiver, unless somebody more urgent waits.
TEST(Operations, TheMostUrgentRuns)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const signals = scene.allocate_port();
    scene.run(scene.new_thread(scene.self, 2));
    scene.run(scene.new_thread(scene.self, 7)); // runs at once
    ASSERT_EQ(scene.current().id, 3);
    scene.trap({}, number_of(Call::port_receive), signals);
    ASSERT_EQ(scene.current().id, 1);
    scene.trap({}, number_of(Call::port_receive, 0, 20'000), port); // until the second tick
    ASSERT_EQ(scene.current().id, 2);
    scene.run(scene.new_thread(scene.self)); // more urgent than who makes it
    ASSERT_EQ(scene.current().id, 4);
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.current().id, 1); // handed over
    EXPECT_EQ(scene.call(Call::signal, { signals, 1 }), status_ok);
    ASSERT_EQ(scene.current().id, 3); // in place of the one that signals
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.current().id, 1);
    EXPECT_EQ(scene.audit(), "");
}

// So does an answer: a caller that is less urgent than a third thread that is ready waits for it.
TEST(Operations, AnAnswerPassesNobodyMoreUrgent)
{
    for (bool const other_is_ready : { false, true }) {
        SCOPED_TRACE(other_is_ready);
        Scene scene; // its first thread is the server, of level 5
        auto const port = scene.allocate_port();
        scene.run(scene.new_thread(scene.self, 3));
        scene.trap({}, number_of(Call::port_receive), port);
        ASSERT_EQ(scene.current().id, 2);
        scene.trap({ port, 1, 5 }, number_of(Call::port_receive, flag_call));
        ASSERT_EQ(scene.current().id, 1);
        auto const token = scene.current().frame.port();
        auto const other = scene.new_thread(scene.self, 4);
        if (other_is_ready)
            scene.run(other);
        scene.trap({ token, 0, 6 }, number_of(Call::port_receive, flag_send_first), port);
        EXPECT_EQ(scene.audit(), "");
        if (other_is_ready) {
            ASSERT_EQ(scene.current().id, 3);
            scene.trap({}, number_of(Call::port_receive), scene.allocate_port());
        }
        ASSERT_EQ(scene.current().id, 2);
        EXPECT_EQ(scene.word(2), 6u);
        EXPECT_EQ(scene.audit(), "");
    }
}

TEST(Operations, PortsOfTheMachine)
{
    Scene scene;
    for (u64 const bytes : Words { 1, 2, 4 }) {
        EXPECT_EQ(scene.broker("broker-pio", Operation::pio_write, { 0x80, bytes, 1 }), status_ok);
        EXPECT_EQ(scene.broker("broker-pio", Operation::pio_read, { 0x80, bytes }), status_ok);
    }
}

// A region that nobody maps goes with its payer; one that is mapped through derived capabilities
// stays with who maps it.
TEST(Operations, RegionsOfTheDead)
{
    Scene scene;
    auto const task = scene.new_task(64, 32, 1);
    auto const self = scene.derived(scene.self, rights_all, task);
    scene.run(scene.new_thread(task));
    scene.yield();
    auto const unmapped = scene.region(1);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { scene.word(2), 1 }), status_ok);
    ASSERT_EQ(scene.cap(CapOperation::move, unmapped, 0, self), status_ok);
    auto const unmapped_here = scene.word(2);
    auto const shared = scene.region(2);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { scene.word(2), 1 }), status_ok);
    ASSERT_EQ(scene.cap(CapOperation::move, shared, 0, self), status_ok);
    auto const shared_here = scene.word(2);
    scene.yield();
    auto const lent = scene.derived(shared_here, Right::read | Right::write);
    ASSERT_EQ(scene.call(Call::vm_allocate, { 0, lent, vm_read | vm_region }), status_ok);
    auto const address = scene.word(2);
    scene.end(task);
    EXPECT_EQ(scene.audit(), "");
    EXPECT_EQ(scene.cap(CapOperation::inspect, unmapped_here), status_of(Error::dead));
    EXPECT_EQ(scene.cap(CapOperation::inspect, shared_here), status_ok);
    EXPECT_EQ(scene.call(Call::vm_deallocate, { address, 1 }), status_ok);
    EXPECT_EQ(scene.cap(CapOperation::inspect, shared_here), status_of(Error::dead));
    EXPECT_EQ(scene.audit(), "");
}

// Interrupts that devices write: a line in the broker's range that the machine has for them, which
// signals its port each time without being acknowledged.
TEST(Operations, MessagesInterrupt)
{
    constexpr u32 first_message = 50;
    Scene scene;
    scene.machine.messages_from(first_message);
    auto const port = scene.allocate_port();
    auto const poll = [&] {
        scene.trap({}, number_of(Call::port_receive, flag_poll), port);
        return scene.status() == status_ok ? scene.word(2) : 0;
    };
    auto const allocate = [&](u64 broker, u64 line, u64 bits) {
        return scene.broker_of(broker, Operation::msi_allocate, { line, port, bits });
    };
    auto const whole = scene.capability("broker-irq");
    ASSERT_EQ(allocate(whole, 1, 4), status_ok); // the first that there is
    EXPECT_NE(scene.word(2), 0u);
    EXPECT_EQ(scene.word(4), first_message);
    ASSERT_EQ(allocate(whole, first_message + 3, 8), status_ok); // the very one
    EXPECT_EQ(scene.word(4), first_message + 3);
    for (unsigned times = 0; times < 3; ++times) {
        scene.machine.raise(first_message + 3);
        scene.machine.raise(first_message);
        EXPECT_EQ(scene.call(Call::time, {}), status_ok);
        EXPECT_EQ(poll(), 12u);
        EXPECT_EQ(poll(), 0u);
    }
    scene.refuse(Error::unavailable, whole, Operation::msi_allocate, { 64, port, 1 });
    // A driver that may have lines 51 and 52 gets none below or behind.
    auto const narrow
        = scene.badged(whole, broker_badge(Operation::msi_allocate, 1, first_message + 1, 2),
            Right::call | Right::derive);
    ASSERT_EQ(allocate(narrow, first_message + 2, 1), status_ok);
    scene.refuse(Error::no_rights, narrow, Operation::msi_allocate, { first_message, port, 1 });
    scene.refuse(Error::no_rights, narrow, Operation::msi_allocate, { first_message + 3, port, 1 });
    // Nor the one that the machine would give instead.
    auto const early = scene.badged(
        whole, broker_badge(Operation::msi_allocate, 1, 1, 8), Right::call | Right::derive);
    scene.refuse(Error::unavailable, early, Operation::msi_allocate, { 2, port, 1 });
    // Whose port ends is not told any more.
    EXPECT_EQ(scene.cap(CapOperation::destroy, port), status_ok);
    scene.machine.raise(first_message);
    EXPECT_EQ(scene.call(Call::time, {}), status_ok);
    EXPECT_EQ(scene.audit(), "");
}

} // namespace gemel
