// Goal: what a task or a thread takes is counted, and no entry of the kernel takes long: time to
// the instant, pages beyond their payer's end, work in bounded pieces. Method: the real kernel with
// threads that are only registers; the books are audited.
#include "tests/model/scene.hpp"

namespace gemel {
namespace {

constexpr u64 ms = 1'000'000;

u64 used_ns(Scene& scene, u64 thread_id)
{
    EXPECT_EQ(scene.broker("broker-audit", Operation::audit_thread, { thread_id }), status_ok);
    return scene.word(5);
}

// A task that gives init a region of so many pages, unmapped, and ends. Init's handle.
u64 inherit(Scene& scene, u64 task, u64 pages)
{
    auto const self = scene.derived(scene.self, rights_all, task);
    scene.run(scene.new_thread(task));
    scene.yield();
    EXPECT_NE(scene.current().task->index, 1);
    auto const theirs = scene.region(pages);
    EXPECT_EQ(scene.call(Call::vm_deallocate, { scene.word(2), 1 }), status_ok);
    EXPECT_EQ(scene.cap(CapOperation::move, theirs, 0, self), status_ok);
    auto const mine = scene.word(2);
    scene.yield();
    EXPECT_EQ(scene.current().task->index, 1);
    return mine;
}

u64 map(Scene& scene, u64 region)
{
    EXPECT_EQ(scene.call(Call::vm_allocate, { 0, region, vm_read | vm_region }), status_ok);
    return scene.word(2);
}

} // namespace

// Who waits whenever a tick comes has still run.
TEST(Lives, TimeIsCountedToTheInstant)
{
    Scene scene;
    auto const port = scene.allocate_port();
    scene.run(scene.new_thread(scene.self));
    auto const begun = used_ns(scene, 1);
    for (unsigned round = 0; round < 10; ++round) {
        scene.yield();
        ASSERT_EQ(scene.current().id, 2);
        scene.now_ns += 9 * ms;
        scene.trap({}, number_of(Call::port_receive), port);
        ASSERT_EQ(scene.current().id, 1);
        scene.now_ns += ms;
        scene.kernel.on_interrupt(arch::tick_line);
        ASSERT_EQ(scene.call(Call::signal, { port, 1 }), status_ok);
    }
    EXPECT_EQ(used_ns(scene, 2), 90 * ms);
    EXPECT_EQ(used_ns(scene, 1), begun + 10 * ms); // it runs
    scene.now_ns += 3 * ms;
    EXPECT_EQ(used_ns(scene, 1), begun + 13 * ms);
}

// Nor is an idle processor's time anybody's.
TEST(Lives, IdleTimeIsNobodys)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const begun = used_ns(scene, 1);
    scene.now_ns += ms;
    scene.trap({}, number_of(Call::port_receive, 0, (scene.now_ns + 10 * ms) / 1000), port);
    ASSERT_TRUE(scene.idles());
    scene.pass_ticks(2);
    ASSERT_EQ(scene.current().id, 1);
    EXPECT_EQ(used_ns(scene, 1), begun + ms);
}

// A thread without a processor stands still whatever it is about, and loses nothing.
TEST(Lives, AThreadWithoutAProcessorIsHeld)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const thread = scene.new_thread(scene.self);
    auto const allow = [&](u64 cpus) {
        EXPECT_EQ(
            scene.broker("broker-sched", Operation::thread_affinity, { thread, cpus }), status_ok);
        EXPECT_EQ(scene.audit(), "");
    };
    scene.run(thread);
    allow(0); // it is ready
    scene.yield();
    ASSERT_EQ(scene.current().id, 1);
    allow(1);
    scene.yield();
    ASSERT_EQ(scene.current().id, 2);
    scene.trap({}, number_of(Call::port_receive), port);
    allow(2); // it waits; there is no second processor
    ASSERT_EQ(scene.call(Call::signal, { port, 5 }), status_ok);
    EXPECT_EQ(scene.kernel.thread(2)->state, ThreadState::ready);
    EXPECT_EQ(scene.audit(), "");
    scene.yield();
    ASSERT_EQ(scene.current().id, 1);
    allow(1);
    scene.yield();
    ASSERT_EQ(scene.current().id, 2);
    EXPECT_EQ(scene.word(2), 5u);
    scene.trap({}, number_of(Call::port_receive), port);
    allow(0); // it is called: the caller waits for it
    scene.trap({ port, 1, 7 }, number_of(Call::port_receive, flag_call));
    EXPECT_TRUE(scene.idles());
    EXPECT_EQ(scene.audit(), "");
}

// On another processor it is sent away at once.
TEST(Lives, AThreadThatRunsElsewhereIsHeld)
{
    Scene scene(2);
    auto const elsewhere = [&] {
        scene.on_processor(1);
        scene.kernel.on_interrupt(arch::interrupt_lines_max);
    };
    elsewhere();
    scene.on_processor(0);
    auto const thread = scene.new_thread(scene.self);
    scene.run(thread);
    elsewhere();
    ASSERT_EQ(scene.current().id, 2);
    scene.on_processor(0);
    scene.machine.take_called_cpus();
    ASSERT_EQ(scene.broker("broker-sched", Operation::thread_affinity, { thread, 0 }), status_ok);
    EXPECT_EQ(scene.machine.take_called_cpus(), 2u);
    elsewhere();
    EXPECT_TRUE(scene.idles());
    scene.on_processor(0);
    EXPECT_EQ(scene.audit(), "");
    ASSERT_EQ(scene.broker("broker-sched", Operation::thread_affinity, { thread, 2 }), status_ok);
    elsewhere();
    EXPECT_EQ(scene.current().id, 2);
    EXPECT_EQ(scene.audit(), "");
}

// What a dead task's heir still maps is its creator's to pay, until the heir lets go of it.
TEST(Lives, WhatOutlivesItsPayerIsItsCreators)
{
    Scene scene;
    map(scene, scene.region(1)); // init's tables are there
    auto const pages = scene.kernel.task(1)->pages;
    auto const free = scene.kernel.free_pages();
    auto const task = scene.new_task(32, 8, 1);
    auto const mine = inherit(scene, task, 20);
    auto const address = map(scene, mine);
    scene.end(task);
    EXPECT_EQ(scene.audit(), "");
    EXPECT_EQ(scene.kernel.task(1)->pages, pages - 21); // its leaf, too
    EXPECT_EQ(scene.kernel.free_pages(), free - 21);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { address, 1 }), status_ok);
    EXPECT_EQ(scene.kernel.task(1)->pages, pages);
    EXPECT_EQ(scene.kernel.free_pages(), free);
    EXPECT_EQ(scene.audit(), "");
}

// So tasks that die one after the other leave their heir no more than their creator had to give:
// its quota ends before the machine's memory does.
TEST(Lives, HeirsGetNoMemoryForNothing)
{
    constexpr u64 pages = 500;
    Scene scene;
    map(scene, scene.region(1));
    auto const quota = scene.kernel.task(1)->pages;
    u64 kept = 0;
    for (;;) {
        auto const status
            = scene.broker("broker-task", Operation::task_new, { pages + 20, 8, 1, 't', 0 });
        if (status != status_ok) {
            EXPECT_EQ(status, status_of(Error::quota));
            break;
        }
        auto const task = scene.word(2);
        map(scene, inherit(scene, task, pages));
        scene.end(task);
        kept += pages + 1;
        ASSERT_LT(kept, 2 * quota);
        ASSERT_EQ(scene.kernel.task(1)->pages, quota - kept);
    }
    EXPECT_GT(kept, 2 * pages);
    EXPECT_EQ(scene.audit(), "");
}

// Work that a caller can ask for in one call is bounded.
TEST(Lives, UnmappingIsBounded)
{
    constexpr u64 regions_max = 16;
    Scene scene;
    auto const region = scene.region(1);
    auto const first = map(scene, region);
    for (u64 more = 1; more <= regions_max; ++more)
        ASSERT_EQ(map(scene, region), first + more * region_bytes_max);
    scene.refuse(Error::invalid, { first, (regions_max + 1) * region_bytes_max },
        number_of(Call::vm_deallocate));
    ASSERT_EQ(
        scene.call(Call::vm_deallocate, { first, regions_max * region_bytes_max }), status_ok);
    EXPECT_EQ(scene.page_of(region).links, 2u); // where it was made, and the last
}

// Whatever the dead had, one step of their reaping frees so many pages, and so many links.
TEST(Lives, ReapingIsBounded)
{
    constexpr u32 pages_max = 1024 + region_pages_max + 1;
    constexpr u32 links_max = 16;
    Scene scene(1, arch::Isolation::on);
    auto const mm = scene.capability("broker-mm");
    auto const region = scene.region(1);
    auto const task = scene.new_task(2700, 20, 1);
    auto window = scene.word(4);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, 2);
    for (unsigned i = 0; i < 5; ++i)
        scene.region(region_pages_max);
    scene.yield();
    window += u64 { 1 } << 33;
    for (u64 i = 0; i < 40; ++i, window += region_bytes_max)
        ASSERT_EQ(
            scene.broker_of(mm, Operation::map, { task, region, window, vm_read }), status_ok);
    ASSERT_EQ(scene.cap(CapOperation::destroy, task), status_ok);
    auto free = scene.kernel.free_pages();
    auto links = scene.page_of(region).links;
    u64 cursor = 0;
    unsigned steps = 0;
    do {
        ASSERT_EQ(scene.broker("broker-task", Operation::task_reap, { task, cursor }), status_ok);
        cursor = scene.word(2);
        EXPECT_LE(scene.kernel.free_pages() - free, pages_max);
        EXPECT_LE(static_cast<u32>(links - scene.page_of(region).links), links_max);
        EXPECT_EQ(scene.audit(), "");
        free = scene.kernel.free_pages();
        links = scene.page_of(region).links;
    } while (cursor != 0 && ++steps < 1000);
    EXPECT_EQ(cursor, 0u);
    EXPECT_EQ(links, 1u);
}

// Looking for a free address beyond many that are not is done in pieces, too.
TEST(Lives, LookingForAnAddressIsBounded)
{
    constexpr u64 tries_max = 1024;
    Scene scene(1, arch::Isolation::on);
    auto const region = scene.region(1);
    auto const first = scene.word(2);
    u64 last = first;
    for (u64 i = 0; i < 2 * tries_max + 10; ++i)
        last = map(scene, region);
    ASSERT_EQ(last, first + (2 * tries_max + 10) * region_bytes_max);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { first, 1 }), status_ok);
    ASSERT_EQ(map(scene, region), first); // and it is the next place to look at
    unsigned entries = 1;
    scene.load({ 0, region, vm_read | vm_region }, number_of(Call::vm_allocate));
    for (scene.enter(); scene.current().frame.take_restart(); ++entries)
        scene.enter();
    EXPECT_EQ(scene.status(), status_ok);
    EXPECT_EQ(entries, 3u);
    EXPECT_EQ(scene.word(2), last + region_bytes_max);
}

} // namespace gemel
