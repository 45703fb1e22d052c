// Goal: what a task, a thread or a capability had ends with it; nothing of it reaches who comes
// after, and nothing is lost.
// Method: each on the real kernel with threads that are only registers; the books are audited.
#include "tests/model/scene.hpp"

namespace gemel {
namespace {

u16 index_of_task(Scene& scene)
{
    return static_cast<u16>(scene.word(3)); // task_new's second result
}

void fault(Scene& scene)
{
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = 4096, .code = 0 });
}

} // namespace

// The number of a task that was the scheduler is given to another, which is not.
TEST(Lives, TheSchedulersRightIsNotInherited)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const first = scene.new_task(16, 16, 1);
    auto const index = index_of_task(scene);
    auto const broker
        = scene.derived(scene.capability("broker-sched"), Right::call | Right::derive, first);
    auto const theirs = scene.derived(port, rights_of(Right::send), first);
    scene.run(scene.new_thread(first));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, index);
    scene.operate(broker, Operation::scheduler_register, { theirs, 1 });
    ASSERT_EQ(scene.status(), status_ok);
    scene.yield();
    scene.end(first);
    auto const second = scene.new_task(16, 16, 1);
    ASSERT_EQ(index_of_task(scene), index);
    scene.run(scene.new_thread(second));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, index);
    scene.refuse(Error::no_rights_sched, { 0, 1 }, number_of(Call::sched_switch));
}

namespace {

// init, a task that it made, one that this one made, and the last of the line: each has a thread.
// The last but one gives its creator's creator what it can.
struct Line {
    u64 first;
    u16 indices[3];
    u64 second_here; // init's own capability to the second, moved there
};

Line make_line(Scene& scene)
{
    Line line {};
    auto const filler = scene.new_task(8, 1, 1); // leaves its number to the last of the line
    auto const makers = Right::call | Right::derive;
    line.first = scene.new_task(120, 60, 8);
    line.indices[0] = index_of_task(scene);
    auto const broker = scene.derived(scene.capability("broker-task"), makers, line.first);
    auto const init = scene.derived(scene.self, rights_all, line.first);
    scene.run(scene.new_thread(line.first));
    scene.yield();
    EXPECT_EQ(scene.current().task->index, line.indices[0]);
    auto const make = [&](u64 with, u64 pages) {
        scene.operate(with, Operation::task_new, { pages, pages / 2, pages / 20, 'c', 0 });
        EXPECT_EQ(scene.status(), status_ok);
        return scene.word(2);
    };
    auto const second = make(broker, 60);
    line.indices[1] = index_of_task(scene);
    auto const theirs = scene.derived(broker, makers, second);
    scene.operate(broker, Operation::thread_new, { second, 1, page_bytes, 0, 5, 0 });
    auto const thread = scene.word(2);
    scene.operate(broker, Operation::thread_run, { thread });
    EXPECT_EQ(scene.cap(CapOperation::move, second, 0, init), status_ok);
    line.second_here = scene.word(2);
    while (scene.current().task->index != 1)
        scene.yield();
    scene.end(filler);
    EXPECT_EQ(scene.cap(CapOperation::close, filler), status_ok);
    while (scene.current().task->index != line.indices[1])
        scene.yield();
    auto const third = make(theirs, 20);
    line.indices[2] = index_of_task(scene);
    scene.operate(theirs, Operation::thread_new, { third, 1, page_bytes, 0, 5, 0 });
    auto const last = scene.word(2);
    scene.operate(theirs, Operation::thread_run, { last });
    while (scene.current().task->index != 1)
        scene.yield();
    return line;
}

} // namespace

// Goal: nobody escapes from the end of who made him: not by a capability that was moved elsewhere,
// nor by one that was closed. Method: a line of three tasks; the first ends, and all that it had
// comes back, though no capability to the others is left.
TEST(Lives, ATaskEndsWithItsCreator)
{
    for (auto const closed : { false, true }) {
        Scene scene;
        auto const pages = scene.kernel.task(1)->pages;
        auto const rows = scene.kernel.task(1)->rows;
        auto const line = make_line(scene);
        EXPECT_EQ(scene.audit(), "");
        EXPECT_LT(line.indices[2], line.indices[0]);
        if (closed) {
            EXPECT_EQ(scene.cap(CapOperation::close, line.second_here), status_ok);
        }
        ASSERT_EQ(scene.cap(CapOperation::destroy, line.first), status_ok);
        for (auto const index : line.indices)
            EXPECT_TRUE(scene.kernel.task(index)->dead);
        EXPECT_EQ(scene.audit(), ""); // none of their threads goes on
        u64 cursor = 0;
        do {
            ASSERT_EQ(scene.broker("broker-task", Operation::task_reap, { line.first, cursor }),
                status_ok);
            cursor = scene.word(2);
            ASSERT_EQ(scene.audit(), "");
        } while (cursor != 0);
        for (auto const index : line.indices)
            EXPECT_EQ(scene.kernel.task(index), nullptr);
        EXPECT_EQ(scene.kernel.task(1)->pages, pages);
        EXPECT_EQ(scene.kernel.task(1)->threads_quota - scene.kernel.task(1)->threads, 1u);
        EXPECT_EQ(rows - scene.kernel.task(1)->rows, closed ? 2u : 3u); // what init still holds
        if (!closed) {
            EXPECT_EQ(scene.cap(CapOperation::inspect, line.second_here), status_of(Error::dead));
        }
    }
}

// One of the line may be reaped on its own; its creator is none the worse.
TEST(Lives, AChildMayBeReapedFirst)
{
    Scene scene;
    auto const line = make_line(scene);
    ASSERT_EQ(scene.cap(CapOperation::destroy, line.first), status_ok);
    EXPECT_EQ(scene.cap(CapOperation::destroy, line.second_here), status_of(Error::dead));
    auto const step = [&](u64 task, u64 cursor) {
        EXPECT_EQ(scene.broker("broker-task", Operation::task_reap, { task, cursor }), status_ok);
        return scene.word(2);
    };
    auto const cursor = step(line.first, 0);
    u64 at = 0;
    do {
        at = step(line.second_here, at);
        EXPECT_EQ(scene.audit(), "");
    } while (at != 0);
    EXPECT_EQ(scene.kernel.task(line.indices[2]), nullptr);
    for (at = cursor; at != 0;)
        at = step(line.first, at);
    EXPECT_EQ(scene.kernel.task(line.indices[0]), nullptr);
    EXPECT_EQ(scene.audit(), "");
}

// Who would end with a task cannot end it.
TEST(Lives, NobodyEndsWhoMadeHim)
{
    Scene scene;
    auto const task = scene.new_task(60, 20, 4);
    auto const index = index_of_task(scene);
    auto const broker
        = scene.derived(scene.capability("broker-task"), Right::call | Right::derive, task);
    auto const self = scene.derived(task, rights_all, task);
    auto const init = scene.derived(scene.self, rights_all, task);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, index);
    auto const destroy = static_cast<u64>(CapOperation::destroy) << 16;
    scene.refuse(Error::invalid, { self, 0, destroy }, number_of(Call::cap_move));
    scene.refuse(Error::invalid, { init, 0, destroy }, number_of(Call::cap_move));
    scene.operate(broker, Operation::task_new, { 20, 8, 2, 'c', 0 });
    EXPECT_EQ(scene.cap(CapOperation::destroy, scene.word(2)), status_ok);
    EXPECT_EQ(scene.audit(), "");
}

// A page that a pager took from a region of a task that ends stays with who has it, and is paid for
// by nobody: not by a later task of the same number.
TEST(Lives, AFilledPageOutlivesItsPayer)
{
    Scene scene;
    auto const task = scene.new_task(32, 8, 1);
    auto const index = index_of_task(scene);
    auto const self = scene.derived(scene.self, rights_all, task);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, index);
    auto const theirs = scene.region(2);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { scene.word(2), 1 }), status_ok);
    ASSERT_EQ(scene.cap(CapOperation::derive, theirs, rights_all, self), status_ok);
    auto const source = scene.word(2);
    scene.yield();
    auto const mine = scene.region(1);
    auto const address = scene.word(2);
    ASSERT_EQ(scene.broker("broker-mm", Operation::fill, { mine, 0, source, 1 }), status_ok);
    EXPECT_EQ(scene.audit(), "");
    scene.end(task);
    EXPECT_EQ(scene.audit(), "");
    auto const next = scene.new_task(8, 8, 1);
    ASSERT_EQ(index_of_task(scene), index);
    ASSERT_EQ(scene.cap(CapOperation::destroy, mine), status_ok);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { address, 1 }), status_ok);
    EXPECT_EQ(scene.audit(), "");
    scene.end(next);
    EXPECT_EQ(scene.audit(), "");
}

// Filling takes a page over with no more access than the capability to its region has.
TEST(Lives, FillingGivesNoAccess)
{
    Scene scene;
    auto const secret = scene.region(1);
    auto const reader = scene.derived(secret, Right::read | Right::grant);
    auto const mine = scene.region(1);
    ASSERT_EQ(scene.broker("broker-mm", Operation::fill, { mine, 0, reader, 0 }), status_ok);
    auto const before = scene.page_entry(secret, 0);
    auto const after = scene.page_entry(mine, 0);
    auto& machine = scene.machine;
    EXPECT_EQ(machine.entry_target(before), machine.entry_target(after));
    EXPECT_EQ(after, machine.narrowed_entry(before, vm_read));
    // And its content is not another's to choose who may only read it.
    scene.refuse(
        Error::no_rights, scene.capability("broker-mm"), Operation::fill, { reader, 0, mine, 0 });
}

// Capabilities in messages go to who may receive now, not to who could before.
TEST(Lives, ARevokedReceiverGetsNothing)
{
    for (auto const end :
        { CapOperation::revoke, CapOperation::time_to_live, CapOperation::close }) {
        Scene scene;
        auto const task = scene.new_task(16, 16, 1);
        auto const index = index_of_task(scene);
        auto const port = scene.allocate_port();
        auto const lent = scene.derived(port, rights_all);
        scene.derived(lent, Right::receive | Right::derive, task);
        auto const send = [&] {
            auto const gift = scene.allocate_port();
            EXPECT_EQ(scene.call(Call::port_send, { port, tag_of(1, 1), 0, 0, 0, 0, 0, gift }),
                status_ok);
            return scene.kernel.rows()[scene.word(7) & 0xFFFF'FFFF].owner;
        };
        EXPECT_EQ(send(), index);
        EXPECT_EQ(scene.cap(end, lent), status_ok);
        EXPECT_EQ(send(), 1);
        EXPECT_EQ(scene.audit(), "");
    }
}

// A wait ends when its task's peer, its port or its time does.
TEST(Lives, EveryWaitEnds)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const idle = scene.new_thread(scene.self, 0);
    scene.run(idle);
    auto const deadline = (scene.now_ns + 3 * tick_ns) / 1000;
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call, deadline));
    scene.pass_ticks(2); // the idle thread runs
    scene.pass_ticks(2);
    ASSERT_EQ(scene.current().id, 1);
    EXPECT_EQ(scene.status(), status_of(Error::timed_out));
    scene.trap({}, number_of(Call::port_receive, 0, (scene.now_ns + tick_ns) / 1000), port);
    scene.pass_ticks(2);
    ASSERT_EQ(scene.current().id, 1);
    EXPECT_EQ(scene.status(), status_of(Error::timed_out));

    // The one that took the call dies before it answers.
    auto const task = scene.new_task(16, 16, 1);
    auto const server = scene.derived(port, rights_of(Right::receive), task);
    scene.run(scene.new_thread(task));
    scene.yield();
    scene.trap({}, number_of(Call::port_receive), server);
    ASSERT_EQ(scene.current().id, 1);
    scene.run(scene.new_thread(scene.self));
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call)); // to the server
    ASSERT_NE(scene.current().task->index, 1);
    scene.yield();
    ASSERT_EQ(scene.current().task->index, 1);
    EXPECT_EQ(scene.cap(CapOperation::destroy, task), status_ok);
    scene.yield();
    EXPECT_EQ(scene.current().id, 1);
    EXPECT_EQ(scene.status(), status_of(Error::dead));
    EXPECT_EQ(scene.audit(), "");
}

// Goal: what a revocation cuts is paid for as long as it is mapped: or memory could be had for
// nothing, a page at each turn.
TEST(Lives, AMappingThatWasCutIsPaidForUntilItIsUnmapped)
{
    Scene scene;
    auto const mine = scene.region(1);
    std::vector<u64> addresses;
    auto const cut = [&] {
        auto const lent = scene.derived(mine);
        ASSERT_EQ(scene.call(Call::vm_allocate, { 0, lent, vm_read | vm_region }), status_ok);
        addresses.push_back(scene.word(2));
        ASSERT_EQ(scene.cap(CapOperation::revoke, mine), status_ok);
        ASSERT_EQ(scene.cap(CapOperation::close, lent), status_ok);
    };
    cut(); // and the tables are there
    auto const pages = scene.kernel.task(1)->pages;
    auto const free = scene.kernel.free_pages();
    for (unsigned i = 0; i < 3; ++i)
        cut();
    EXPECT_EQ(scene.kernel.task(1)->pages, pages - 3);
    EXPECT_EQ(scene.kernel.free_pages(), free - 3);
    EXPECT_EQ(scene.audit(), "");
    for (auto const address : addresses)
        ASSERT_EQ(scene.call(Call::vm_deallocate, { address, 1 }), status_ok);
    EXPECT_EQ(scene.kernel.task(1)->pages, pages + 1);
    EXPECT_EQ(scene.kernel.free_pages(), free + 1);
    EXPECT_EQ(scene.audit(), "");
}

// The same of one whose payer ends: nobody pays for it then, and no later task of its number.
// Method: cut before the payer ends, and amid its reaping, when its pages were looked at already.
TEST(Lives, AMappingThatWasCutOutlivesItsPayer)
{
    for (auto const late : { false, true }) {
        Scene scene;
        auto const task = scene.new_task(32, 8, 1);
        auto const index = index_of_task(scene);
        auto const self = scene.derived(scene.self, rights_all, task);
        scene.run(scene.new_thread(task));
        scene.yield();
        ASSERT_EQ(scene.current().task->index, index);
        auto const theirs = scene.region(1);
        ASSERT_EQ(scene.call(Call::vm_deallocate, { scene.word(2), 1 }), status_ok);
        ASSERT_EQ(scene.cap(CapOperation::move, theirs, 0, self), status_ok);
        auto const mine = scene.word(2);
        scene.yield();
        auto const lent = scene.derived(mine);
        ASSERT_EQ(scene.call(Call::vm_allocate, { 0, lent, vm_read | vm_region }), status_ok);
        auto const address = scene.word(2);
        if (!late) {
            ASSERT_EQ(scene.cap(CapOperation::revoke, mine), status_ok);
        }
        ASSERT_EQ(scene.cap(CapOperation::destroy, task), status_ok);
        u64 cursor = 0;
        for (unsigned step = 0; step == 0 || cursor != 0; ++step) {
            ASSERT_EQ(
                scene.broker("broker-task", Operation::task_reap, { task, cursor }), status_ok);
            cursor = scene.word(2);
            if (late && step == 0) {
                ASSERT_EQ(scene.cap(CapOperation::revoke, mine), status_ok);
            }
            EXPECT_EQ(scene.audit(), "");
        }
        auto const next = scene.new_task(8, 8, 1);
        ASSERT_EQ(index_of_task(scene), index);
        ASSERT_EQ(scene.call(Call::vm_deallocate, { address, 1 }), status_ok);
        EXPECT_EQ(scene.audit(), "");
        scene.end(next);
        EXPECT_EQ(scene.audit(), "");
    }
}

// Goal: what a call gives is its receiver's with the call, or still the caller's.
// Method: the caller's right is good for once, and its end is told to the very port that is called:
// who waits there must not leave with that.
TEST(Lives, ACallIsReceivedBeforeItsRightIsUsedUp)
{
    constexpr u64 bit = 4;
    Scene scene;
    auto const port = scene.allocate_port();
    auto const gift = scene.allocate_port();
    auto const once = scene.derived(port, rights_of(Right::send_once));
    ASSERT_EQ(scene.cap(CapOperation::watch, once, 0, 0, port, bit), status_ok);
    auto const task = scene.new_task(8, 8, 1);
    auto const index = index_of_task(scene);
    auto const theirs = scene.derived(port, rights_of(Right::receive), task);
    scene.run(scene.new_thread(task));
    scene.yield();
    scene.trap({}, number_of(Call::port_receive), theirs);
    ASSERT_EQ(scene.current().id, 1);
    scene.trap(
        { once, tag_of(1, 1), 0, 0, 0, 0, 0, gift }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.current().task->index, index);
    EXPECT_EQ(scene.word(1), tag_of(1, 1));
    EXPECT_EQ(scene.call(Call::signal, { scene.word(7), 1 }), status_ok) << "it was given";
    ASSERT_EQ(scene.call(Call::port_receive, {}, theirs), status_ok);
    EXPECT_EQ(scene.word(1), static_cast<u64>(KernelTag::notification));
    EXPECT_EQ(scene.word(2), bit);
    EXPECT_EQ(scene.audit(), "");
}

namespace {

// How the right to receive of a task ends: a right of init's above it, or its own.
enum class Ending : u8 { revoked, expired, closed_above, closed, moved };

void end_right(Scene& scene, Ending ending, u64 lent, u64 theirs, u64 self)
{
    switch (ending) {
    case Ending::revoked:
        ASSERT_EQ(scene.cap(CapOperation::revoke, lent), status_ok);
        return;
    case Ending::expired:
        ASSERT_EQ(scene.cap(CapOperation::time_to_live, lent, 0, 0, tick_ns), status_ok);
        scene.pass_ticks(3);
        while (scene.current().id != 1)
            scene.yield();
        return;
    case Ending::closed_above:
        ASSERT_EQ(scene.cap(CapOperation::close, lent), status_ok);
        return;
    case Ending::closed:
    case Ending::moved:
        break;
    }
    scene.yield(); // the task's other thread
    ASSERT_NE(scene.current().task->index, 1);
    auto const operation = ending == Ending::moved ? CapOperation::move : CapOperation::close;
    ASSERT_EQ(scene.cap(operation, theirs, 0, ending == Ending::moved ? self : 0), status_ok);
    scene.yield();
    ASSERT_EQ(scene.current().id, 1);
}

} // namespace

// Goal: who waits by a right that ends hears so, instead of the next message.
// Method: each end with each thing that a receiver may wait for.
TEST(Lives, AReceiverWithoutTheRightHearsSo)
{
    enum class Next : u8 { send, call, signal, fault };
    for (auto const ending :
        { Ending::revoked, Ending::expired, Ending::closed_above, Ending::closed, Ending::moved })
        for (auto const next : { Next::send, Next::call, Next::signal, Next::fault }) {
            SCOPED_TRACE(static_cast<int>(ending) * 10 + static_cast<int>(next));
            Scene scene;
            auto const port = scene.allocate_port();
            auto const task = scene.new_task(16, 16, 2);
            auto const lent = scene.derived(port);
            auto const theirs = scene.derived(lent, Right::receive | Right::derive, task);
            auto const self = scene.derived(scene.self, rights_all, task);
            scene.run(scene.new_thread(task));
            scene.yield();
            auto const id = scene.current().id;
            for (unsigned time = 0; time < 2; ++time) { // it was looked at, and found to have it
                scene.trap({}, number_of(Call::port_receive), theirs);
                ASSERT_EQ(scene.current().id, 1);
                if (time == 0) {
                    ASSERT_EQ(scene.call(Call::signal, { port, 1 }), status_ok);
                    scene.yield();
                }
            }
            scene.run(scene.new_thread(task));
            auto const faulty = scene.new_thread(scene.self, Scene::init_level, port);
            end_right(scene, ending, lent, theirs, self);
            auto const* thread = scene.kernel.thread(id);
            ASSERT_EQ(thread->state, ThreadState::receiving);
            scene.run(faulty);
            auto const waits = next == Next::call || next == Next::fault;
            if (next == Next::fault) {
                while (scene.current().id == 1 || scene.current().task->index != 1)
                    scene.yield();
                fault(scene);
            } else if (next == Next::signal) {
                EXPECT_EQ(scene.call(Call::signal, { port, 1 }), status_ok);
            } else {
                auto const call = next == Next::call ? Call::port_receive : Call::port_send;
                scene.trap({ port, 1 }, number_of(call, next == Next::call ? flag_call : 0));
            }
            EXPECT_EQ(scene.first_in_queue(scene.row_of(port)) != nullptr, waits);
            EXPECT_EQ(scene.audit(), "");
            while (scene.current().id != id)
                scene.yield();
            EXPECT_EQ(scene.status(), status_of(Error::revoked));
        }
}

// The same of a server whose one wait began with an answer.
TEST(Lives, AServerWithoutTheRightHearsSo)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const task = scene.new_task(16, 16, 2);
    auto const theirs = scene.derived(port, rights_of(Right::receive), task);
    scene.run(scene.new_thread(task));
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call));
    auto const id = scene.current().id;
    ASSERT_NE(id, 1);
    scene.trap({}, number_of(Call::port_receive, flag_poll), theirs);
    scene.trap(
        { scene.current().frame.port() }, number_of(Call::port_receive, flag_send_first), theirs);
    ASSERT_EQ(scene.current().id, 1);
    ASSERT_EQ(scene.status(), status_ok);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_EQ(scene.cap(CapOperation::close, theirs), status_ok);
    scene.yield();
    ASSERT_EQ(scene.current().id, 1);
    ASSERT_EQ(scene.call(Call::port_send, { port, 1 }), status_ok);
    while (scene.current().id != id)
        scene.yield();
    EXPECT_EQ(scene.status(), status_of(Error::revoked));
    EXPECT_EQ(scene.audit(), "");
}

// Goal: no other capability takes the place of the right that a wait began with.
// Method: the register that names it is written over, with another task's right, with one to send
// and with the right to receive elsewhere.
TEST(Lives, AWaitIsByTheRightThatItNames)
{
    for (unsigned wrong = 0; wrong < 4; ++wrong) {
        Scene scene;
        auto const port = scene.allocate_port();
        auto const other = scene.allocate_port();
        auto const task = scene.new_task(16, 16, 1);
        auto const lent = scene.derived(port);
        auto const theirs = scene.derived(lent, rights_of(Right::receive), task);
        u64 const names[] = { port, scene.derived(port, rights_of(Right::send), task),
            scene.derived(other, rights_of(Right::receive), task), theirs };
        auto const thread = scene.new_thread(task);
        scene.run(thread);
        scene.yield();
        auto const id = scene.current().id;
        scene.trap({}, number_of(Call::port_receive), theirs);
        ASSERT_EQ(scene.current().id, 1);
        ASSERT_EQ(scene.broker("broker-task", Operation::thread_set, { thread, 8, names[wrong] }),
            status_ok);
        scene.allocate_port();
        ASSERT_EQ(scene.cap(CapOperation::destroy, scene.word(2)), status_ok); // all is looked at
        ASSERT_EQ(scene.call(Call::port_send, { port, 1 }), status_ok);
        scene.yield();
        ASSERT_EQ(scene.current().id, id);
        EXPECT_EQ(scene.status(), wrong == 3 ? status_ok : status_of(Error::revoked));
        EXPECT_EQ(scene.audit(), "");
    }
}

// Goal: who sends away the right that he would receive with does not wait for ever by it.
TEST(Lives, ARightThatIsSentAwayReceivesNothing)
{
    for (auto const waits : { false, true }) {
        Scene scene;
        auto const port = scene.allocate_port();
        auto const other = scene.allocate_port();
        if (!waits) {
            ASSERT_EQ(scene.call(Call::signal, { port, 1 }), status_ok); // there is something
        }
        auto const task = scene.new_task(16, 16, 1);
        auto const theirs = scene.derived(port, Right::receive | Right::derive, task);
        auto const to = scene.derived(other, rights_of(Right::send), task);
        scene.run(scene.new_thread(task));
        scene.yield();
        auto const id = scene.current().id;
        ASSERT_NE(id, 1);
        scene.trap({ to, tag_of(1, 1), 0, 0, 0, 0, 0, theirs },
            number_of(Call::port_receive, flag_send_first), theirs);
        ASSERT_EQ(scene.current().id, id);
        EXPECT_EQ(scene.status(), status_of(Error::revoked));
        EXPECT_EQ(scene.audit(), "");
        scene.yield();
        ASSERT_EQ(scene.current().id, 1);
        ASSERT_EQ(scene.call(Call::port_receive, {}, other), status_ok);
        auto const back = scene.word(7);
        EXPECT_EQ(scene.row_of(back).owner, 1);
        EXPECT_EQ(scene.audit(), "");
    }
}

// A limit only ever gets shorter, and holds for what was derived before and after.
TEST(Lives, ALimitIsNotMadeLonger)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const limited = scene.derived(port);
    auto const before = scene.derived(limited);
    auto const limit = [&](u64 ticks) {
        EXPECT_EQ(scene.cap(CapOperation::time_to_live, limited, 0, 0, ticks * tick_ns), status_ok);
    };
    limit(3);
    limit(100);
    auto const after = scene.derived(scene.derived(limited));
    scene.pass_ticks(2);
    for (auto const handle : { limited, before, after })
        EXPECT_EQ(scene.call(Call::signal, { handle, 1 }), status_ok);
    scene.pass_ticks(3);
    for (auto const handle : { limited, before, after })
        EXPECT_EQ(scene.call(Call::signal, { handle, 1 }), status_of(Error::revoked));
    EXPECT_EQ(scene.call(Call::signal, { port, 1 }), status_ok);
}

// Who faults waits for its fault port's answer; without a port it stays stopped, and so it does
// when the port ends before it answers.
TEST(Lives, AFaultWithoutAnAnswerStops)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const thread = scene.new_thread(scene.self, Scene::init_level, port);
    scene.run(thread);
    scene.yield();
    auto const id = scene.current().id;
    ASSERT_EQ(scene.call(Call::sched_spawn, { 1, page_bytes, 0 }), status_ok);
    auto const spawned = scene.word(2);
    fault(scene);
    ASSERT_EQ(scene.current().id, 1);
    scene.yield();
    auto const spawned_id = scene.current().id;
    ASSERT_NE(spawned_id, id);
    ASSERT_NE(spawned_id, 1);
    fault(scene); // its spawner's fault port is its own
    ASSERT_EQ(scene.current().id, 1);
    for (auto const of : { id, spawned_id }) {
        ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
        EXPECT_EQ(scene.word(1) & 0xFFFF, static_cast<u64>(KernelTag::fault));
        EXPECT_EQ(scene.word(3), 4096u);
        EXPECT_EQ(scene.word(6), of);
        if (of == id) { // goes on, and faults again
            EXPECT_EQ(scene.call(Call::port_send, { scene.current().frame.port(), 0 }), status_ok);
            scene.yield();
            ASSERT_EQ(scene.current().id, id);
            fault(scene);
        }
    }
    EXPECT_EQ(scene.cap(CapOperation::destroy, port), status_ok);
    EXPECT_EQ(scene.kernel.thread(id)->state, ThreadState::stopped);
    EXPECT_EQ(scene.audit(), "");
    EXPECT_EQ(scene.run(thread), status_ok);
    scene.yield();
    ASSERT_EQ(scene.current().id, id);
    fault(scene);
    EXPECT_EQ(scene.kernel.thread(id)->state, ThreadState::stopped);
    EXPECT_EQ(scene.cap(CapOperation::destroy, spawned), status_ok);
    EXPECT_EQ(scene.cap(CapOperation::destroy, thread), status_ok);
    EXPECT_EQ(scene.audit(), "");
}

// Memory stays with who maps it, and every page comes back when the last of them lets go.
TEST(Lives, MemoryComesBackWithItsLastUser)
{
    Scene scene;
    scene.region(1); // the tables are there from now on
    auto const free = scene.kernel.free_pages();
    auto const region = scene.region(3);
    auto const address = scene.word(2);
    auto const task = scene.new_task(16, 16, 1);
    auto const window = scene.kernel.machine().user_begin(index_of_task(scene));
    ASSERT_EQ(
        scene.broker("broker-mm", Operation::map, { task, region, window, vm_read }), status_ok);
    ASSERT_EQ(scene.cap(CapOperation::destroy, region), status_ok);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { address, 1 }), status_ok);
    scene.end(task);
    EXPECT_EQ(scene.kernel.free_pages(), free);
    EXPECT_EQ(scene.audit(), "");
    EXPECT_NE(scene.region(1), 0u);
    EXPECT_EQ(scene.word(2), address); // used again
    ASSERT_EQ(scene.cap(CapOperation::close, scene.word(3)), status_ok);
    scene.region(1);
    ASSERT_EQ(scene.cap(CapOperation::close, scene.word(3)), status_ok);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { address, 2 * region_bytes_max }), status_ok);
    EXPECT_EQ(scene.kernel.free_pages(), free);
    scene.region(1);
    EXPECT_EQ(scene.word(2), address); // before what was used last
}

// A region that is destroyed through a derived capability is dead through every other, though its
// memory stays with who maps it.
TEST(Lives, ARegionThatEndedIsDeadForAll)
{
    Scene scene;
    auto const region = scene.region(1);
    auto const derived = scene.derived(region);
    ASSERT_EQ(scene.cap(CapOperation::destroy, derived), status_ok);
    scene.refuse(Error::dead, { 0, region, vm_read | vm_region }, number_of(Call::vm_allocate));
    EXPECT_EQ(scene.audit(), "");
}

// A page that two regions share ends with the second of them, and the one it replaces at once.
TEST(Lives, AFilledPageHasTwoHolders)
{
    Scene scene;
    auto const free = scene.kernel.free_pages();
    auto const first = scene.region(1);
    auto const first_address = scene.word(2);
    auto const second = scene.region(1);
    auto const second_address = scene.word(2);
    auto const taken = scene.kernel.free_pages();
    ASSERT_EQ(scene.broker("broker-mm", Operation::fill, { first, 0, second, 0 }), status_ok);
    EXPECT_EQ(scene.kernel.free_pages(), taken + 1);
    auto const end = [&](u64 region, u64 address) {
        ASSERT_EQ(scene.call(Call::vm_deallocate, { address, 1 }), status_ok);
        ASSERT_EQ(scene.cap(CapOperation::destroy, region), status_ok);
        EXPECT_EQ(scene.audit(), "");
    };
    end(second, second_address);
    EXPECT_EQ(scene.kernel.free_pages(), taken + 2); // its leaf only
    end(first, first_address);
    EXPECT_GE(scene.kernel.free_pages() + 3, free); // all but tables
    EXPECT_EQ(scene.kernel.free_pages(), taken + 4);
}

// A device that never stops asking is heard once for each acknowledgement, and nobody else waits.
TEST(Lives, AnInterruptStormIsOneNotification)
{
    constexpr u32 line = 3;
    constexpr u64 bits = 4;
    Scene scene;
    auto const port = scene.allocate_port();
    ASSERT_EQ(scene.broker("broker-irq", Operation::irq_bind, { line, port, bits }), status_ok);
    auto const poll = [&] {
        scene.trap({}, number_of(Call::port_receive, flag_poll), port);
        return scene.status() == status_ok ? scene.word(2) : 0;
    };
    for (unsigned acknowledged = 0; acknowledged < 3; ++acknowledged) {
        for (unsigned raised = 0; raised < 1000; ++raised) {
            scene.machine.raise(line);
            EXPECT_EQ(scene.call(Call::time, {}), status_ok);
        }
        EXPECT_EQ(poll(), bits);
        scene.machine.raise(line);
        EXPECT_EQ(poll(), 0u);
        EXPECT_EQ(scene.broker("broker-irq", Operation::irq_acknowledge, { line }), status_ok);
        EXPECT_EQ(poll(), bits); // it asked meanwhile
        EXPECT_EQ(poll(), 0u);
        EXPECT_EQ(scene.broker("broker-irq", Operation::irq_acknowledge, { line }), status_ok);
        EXPECT_EQ(poll(), 0u);
    }
    // Who is bound to a line and ends is not told any more, and the line stays masked.
    EXPECT_EQ(scene.cap(CapOperation::destroy, port), status_ok);
    scene.machine.raise(line);
    EXPECT_EQ(scene.call(Call::time, {}), status_ok);
    EXPECT_EQ(scene.audit(), "");
}

// Goal: a message that came before there was a server is whole when the server takes it.
// Method: with a capability in the ring and one in a queued call, the right to receive goes to a
// task with room for one more.
TEST(Lives, CapabilitiesFollowAMessageThatWaited)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const first = scene.allocate_port();
    auto const second = scene.allocate_port();
    scene.run(scene.new_thread(scene.self));
    scene.yield();
    scene.trap(
        { port, tag_of(2, 1), 0, 0, 0, 0, 0, second }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.call(Call::port_send, { port, tag_of(1, 1), 0, 0, 0, 0, 0, first }), status_ok);
    auto const task = scene.new_task(8, 2, 1);
    auto const theirs = scene.derived(port, rights_of(Right::receive), task);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_NE(scene.current().task->index, 1);
    ASSERT_EQ(scene.call(Call::port_receive, {}, theirs), status_ok);
    EXPECT_EQ(scene.call(Call::signal, { scene.word(7), 1 }), status_ok);
    ASSERT_EQ(scene.call(Call::port_receive, {}, theirs), status_ok);
    EXPECT_EQ(scene.word(1) & 0xFFFF, 2u);
    EXPECT_EQ(scene.word(7), 0u) << "there was room for one";
    EXPECT_EQ(scene.kernel.rows()[second & 0xFFFF'FFFF].owner, 0) << "nobody knows it";
}

// Goal: what a task was given by a message is its own, whoever takes the message after all.
TEST(Lives, CapabilitiesOfAReceiverAreNotTaken)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const gift = scene.allocate_port();
    auto const first = scene.new_task(8, 4, 1);
    EXPECT_NE(scene.derived(port, rights_of(Right::receive), first), 0u);
    ASSERT_EQ(scene.call(Call::port_send, { port, tag_of(1, 1), 0, 0, 0, 0, 0, gift }), status_ok);
    auto const second = scene.new_task(8, 4, 1);
    auto const theirs = scene.derived(port, rights_of(Right::receive), second);
    scene.run(scene.new_thread(second));
    scene.yield();
    ASSERT_NE(scene.current().task->index, 1);
    ASSERT_EQ(scene.call(Call::port_receive, {}, theirs), status_ok);
    EXPECT_EQ(scene.word(7), 0u);
    EXPECT_EQ(scene.kernel.rows()[gift & 0xFFFF'FFFF].owner, 2);
}

// Goal: a queued call gives what is its caller's, whatever was written into it later.
// Method: the word that holds its capability is written over with the number of another task's.
TEST(Lives, AMessageThatWaitsIsNotWrittenOver)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const secret = scene.allocate_port();
    auto const task = scene.new_task(16, 16, 2);
    auto const theirs = scene.derived(port, Right::call | Right::receive, task);
    auto const gift = scene.derived(scene.allocate_port(), rights_all, task);
    auto const other_gift = scene.derived(scene.allocate_port(), rights_all, task);
    auto const third_gift = scene.derived(scene.allocate_port(), rights_all, task);
    auto const kept = scene.derived(port, rights_of(Right::call), task); // without DERIVE
    constexpr u64 no_row = u64 { 1 } << 32 | 0x7FFF'FFFF; // behind the end of the table
    auto const thread = scene.new_thread(task);
    auto const self = scene.derived(thread, Right::read | Right::write, task);
    auto const broker
        = scene.derived(scene.capability("broker-task"), rights_of(Right::call), task);
    scene.run(thread);
    scene.run(scene.new_thread(task));
    scene.yield();
    auto const caller = scene.current().id;
    scene.trap({ theirs, tag_of(1, 3), 0, 0, 0, third_gift, other_gift, gift },
        number_of(Call::port_receive, flag_call));
    while (scene.current().task->index == 1)
        scene.yield();
    ASSERT_NE(scene.current().id, caller);
    ASSERT_EQ(scene.kernel.thread(caller)->state, ThreadState::calling);
    ASSERT_EQ(scene.broker_of(broker, Operation::thread_set, { self, 7, secret }), status_ok);
    ASSERT_EQ(scene.broker_of(broker, Operation::thread_set, { self, 6, kept }), status_ok);
    ASSERT_EQ(scene.broker_of(broker, Operation::thread_set, { self, 5, no_row }), status_ok);
    ASSERT_EQ(scene.call(Call::port_receive, {}, theirs), status_ok);
    EXPECT_EQ(scene.kernel.rows()[secret & 0xFFFF'FFFF].owner, 1) << "it was taken from its owner";
    EXPECT_EQ(scene.word(7), 0u);
    EXPECT_EQ(scene.word(6), 0u) << "it could not have been sent";
    EXPECT_EQ(scene.word(5), 0u) << "there is no such row";
    EXPECT_EQ(scene.audit(), "");
}

// Goal: a call that ends in a port's queue has changed nothing: its capabilities are the caller's,
// by the same numbers, and the server, which never heard of them, has no fewer rows.
// Method: it ends at its deadline, by thread_stop, and with the port.
TEST(Lives, ACallThatEndsInAQueueKeepsItsCapabilities)
{
    constexpr u32 server_index = 2; // the first after init
    for (auto const how : { "deadline", "stop", "port" }) {
        SCOPED_TRACE(how);
        Scene scene;
        auto const server = scene.new_task(16, 16, 2);
        auto const port = scene.allocate_port();
        static_cast<void>(scene.derived(port, rights_of(Right::receive), server));
        auto const task = scene.new_task(16, 16, 2);
        auto const theirs = scene.derived(port, rights_of(Right::call), task);
        auto const gift = scene.derived(scene.allocate_port(), rights_all, task);
        auto const thread = scene.new_thread(task);
        scene.run(thread);
        scene.yield();
        auto const caller = scene.current().id;
        auto const before = scene.kernel.task(server_index)->rows;
        auto const soon = std::string_view(how) == "deadline" ? scene.now_ns / 1000 + 1 : 0;
        scene.trap({ theirs, tag_of(1, 1), 0, 0, 0, 0, 0, gift },
            number_of(Call::port_receive, flag_call, soon));
        ASSERT_EQ(scene.kernel.thread(caller)->state, ThreadState::calling);
        EXPECT_EQ(scene.kernel.task(server_index)->rows, before);
        if (std::string_view(how) == "deadline")
            scene.pass_ticks(2);
        else if (std::string_view(how) == "stop")
            EXPECT_EQ(scene.broker("broker-task", Operation::thread_stop, { thread }), status_ok);
        else
            EXPECT_EQ(scene.cap(CapOperation::destroy, port), status_ok);
        EXPECT_NE(scene.kernel.thread(caller)->state, ThreadState::calling);
        EXPECT_EQ(scene.kernel.task(server_index)->rows, before);
        auto const& row = scene.kernel.rows()[gift & 0xFFFF'FFFF];
        EXPECT_EQ(row.generation, gift >> 32);
        EXPECT_EQ(row.owner, scene.kernel.thread(caller)->task->index);
        EXPECT_EQ(scene.audit(), "");
    }
}

} // namespace gemel
