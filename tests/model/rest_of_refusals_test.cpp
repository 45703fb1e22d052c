// What refusals_test.cpp leaves: a machine that is full, waits that end, what every broker
// operation may say; and at the end whether all errors of all calls were met.
#include "tests/model/scene.hpp"

namespace gemel {
namespace {

constexpr char const* broker_names[] = { "broker-task", "broker-mm", "broker-phys", "broker-irq",
    "broker-pio", "broker-sched", "broker-audit", "broker-machine" };

constexpr u64 capability_operation(CapOperation operation, Rights rights = rights_all)
{
    return rights | static_cast<u64>(operation) << 16;
}

// A second thread of init's that is where it calls port 'port' once; init runs again.
u32 caller_of(Scene& scene, u64 task, u64 port)
{
    scene.run(scene.new_thread(task));
    scene.yield();
    auto const id = scene.current().id;
    EXPECT_NE(id, 1);
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call));
    EXPECT_EQ(scene.current().id, 1);
    return id;
}

} // namespace

// Whatever the operation: its broker may not be called, was taken back, or the tag is the kernel's.
TEST(Refusals, OfEveryBrokerOperation)
{
    Scene scene;
    auto const every = [&](u64 broker, u64 mute, u64 revoked, u64 tag) {
        auto const call = number_of(Call::port_receive, flag_call);
        scene.refuse(Error::invalid, { broker, tag | 1 << 16 }, call);
        scene.refuse(Error::revoked, { revoked, tag }, call);
        if (tag >= 0x10) {
            scene.refuse(Error::no_rights, { mute, tag }, call);
        }
    };
    for (auto const* name : broker_names) {
        auto const broker = scene.capability(name);
        auto const mute = scene.derived(broker, rights_of(Right::derive));
        auto const parent = scene.derived(broker, Right::call | Right::derive);
        auto const revoked = scene.derived(parent, rights_of(Right::call));
        ASSERT_EQ(scene.cap(CapOperation::revoke, parent), status_ok);
        every(broker, mute, revoked, 1);
        for (auto const& info : operations)
            if (broker_names[static_cast<u8>(info.broker)] == name)
                every(broker, mute, revoked, static_cast<u64>(info.operation));
    }
}

TEST(Refusals, OfClosing)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const task = scene.new_task(8, 8, 1);
    auto const closed = scene.derived(port);
    ASSERT_EQ(scene.cap(CapOperation::close, closed), status_ok);
    for (u64 const handle : Words { 0, closed, ~u64 { 0 } })
        scene.refuse(Error::cap_invalid, { handle, 0, capability_operation(CapOperation::close) },
            number_of(Call::cap_move));
    scene.refuse(Error::not_owner,
        { scene.derived(port, rights_all, task), 0, capability_operation(CapOperation::close) },
        number_of(Call::cap_move));
}

TEST(Refusals, OfBadges)
{
    Scene scene;
    auto const badge = capability_operation(CapOperation::badge);
    auto const full = scene.new_task(8, 0, 1);
    auto const port = scene.allocate_port();
    scene.refuse(Error::quota, { port, full, badge, 7 }, number_of(Call::cap_move));
    auto deep = port;
    for (u8 depth = 0; depth < row_depth_max; ++depth)
        deep = scene.derived(deep);
    scene.refuse(Error::too_big, { deep, 0, badge, 7 }, number_of(Call::cap_move));
}

// What an answer carries: without the right to pass it on, dead, revoked, or more than the caller
// has room for.
TEST(Refusals, OfCapabilitiesInReplies)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const task = scene.new_task(8, 2, 1);
    auto const theirs = scene.derived(port, rights_of(Right::call), task);
    scene.derived(port, rights_of(Right::call), task); // no room is left
    caller_of(scene, task, theirs);
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    auto const token = scene.current().frame.port();
    auto const gives = [&](Error error, u64 gift) {
        Words const words { token, tag_of(0, 1), 0, 0, 0, 0, 0, gift };
        scene.refuse(error, words, number_of(Call::port_send));
        scene.refuse(error, words, number_of(Call::port_receive, flag_send_first), port);
    };
    auto const gift = scene.allocate_port();
    gives(Error::no_rights, scene.derived(gift, rights_of(Right::send)));
    auto const revoked = scene.derived(gift);
    ASSERT_EQ(scene.cap(CapOperation::revoke, gift), status_ok);
    gives(Error::revoked, revoked);
    auto const ended = scene.allocate_port();
    auto const dead = scene.derived(ended);
    ASSERT_EQ(scene.cap(CapOperation::destroy, ended), status_ok);
    gives(Error::dead, dead);
    gives(Error::quota, gift);
    EXPECT_EQ(scene.call(Call::port_send, { token, 0 }), status_ok);
}

TEST(Refusals, OfCallsAndSendsBeforeReceives)
{
    Scene scene;
    auto const task = scene.new_task(8, 1, 1);
    auto const port = scene.allocate_port();
    scene.derived(port, rights_of(Right::receive), task); // who has no room
    auto const gift = scene.allocate_port();
    auto const own = scene.allocate_port();
    Words const words { port, tag_of(1, 1), 0, 0, 0, 0, 0, gift };
    scene.refuse(Error::quota, words, number_of(Call::port_receive, flag_call));
    scene.refuse(Error::quota, words, number_of(Call::port_receive, flag_send_first), own);
    for (u32 sent = 0; sent < port_ring_messages; ++sent)
        ASSERT_EQ(scene.call(Call::port_send, { port, 1 }), status_ok);
    scene.refuse(
        Error::port_full, { port, 1 }, number_of(Call::port_receive, flag_send_first), own);
}

// Threads of a task that has ended are not run again.
TEST(Refusals, OfTheDead)
{
    Scene scene;
    auto const task = scene.new_task(8, 1, 1);
    auto const thread = scene.new_thread(task);
    ASSERT_EQ(scene.cap(CapOperation::destroy, task), status_ok);
    scene.refuse(
        Error::not_runnable, scene.capability("broker-task"), Operation::thread_run, { thread });
}

// Errors that a wait ends with: it did begin, so it is no refusal that changes nothing.
TEST(Refusals, OfWaits)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const other = scene.allocate_port();
    auto const thread = scene.new_thread(scene.self);
    scene.run(thread);
    scene.run(scene.new_thread(scene.self, 0)); // somebody to run then
    scene.yield();
    enum class End : u8 { time, stop };
    for (auto const end : { End::time, End::stop })
        for (auto const flags : { 0u, flag_call, flag_send_first }) {
            ASSERT_EQ(scene.current().id, 2);
            auto const deadline = (scene.now_ns + tick_ns) / 1000;
            scene.load({ other, 1 }, number_of(Call::port_receive, flags, deadline), port);
            auto const deed = scene.asked();
            scene.enter();
            ASSERT_EQ(scene.current().id, 1);
            if (end == End::time) {
                scene.pass_ticks(2);
            } else {
                ASSERT_EQ(
                    scene.broker("broker-task", Operation::thread_stop, { thread }), status_ok);
                ASSERT_EQ(scene.run(thread), status_ok);
            }
            while (scene.current().id != 2)
                scene.yield();
            EXPECT_EQ(scene.status(),
                status_of(end == End::time ? Error::timed_out : Error::interrupted));
            Scene::refusals().add(deed, scene.status());
            EXPECT_EQ(scene.audit(), "");
        }
}

TEST(Refusals, OfMappings)
{
    Scene scene;
    auto const region = scene.region(1);
    auto const mapped = scene.word(2);
    auto const call = number_of(Call::vm_allocate);
    scene.refuse(Error::align, { mapped + page_bytes, region, vm_read | vm_region }, call);
    scene.refuse(Error::exists, { mapped, region, vm_read | vm_region }, call);
    auto const task = scene.new_task(2, 8, 1);
    auto const window = scene.kernel.machine().user_begin(2);
    auto const mm = scene.capability("broker-mm");
    scene.refuse(Error::quota, mm, Operation::map, { task, region, window, vm_read }); // two tables
    auto const rich = scene.new_task(30, 8, 1);
    auto const begin = scene.kernel.machine().user_begin(3);
    ASSERT_EQ(
        scene.broker("broker-mm", Operation::map, { rich, region, begin, vm_read }), status_ok);
    scene.refuse(Error::exists, mm, Operation::map, { rich, region, begin, vm_read });
    for (u64 const flags : Words { 0, vm_write, vm_read | vm_write | vm_execute, 1 << 5 })
        scene.refuse(Error::invalid, mm, Operation::map, { rich, region, begin, flags });
    for (auto const& [error, address] :
        { std::pair<Error, u64> { Error::align, begin + page_bytes },
            { Error::invalid, begin - region_bytes_max }, { Error::invalid, ~u64 { 0 } << 21 } }) {
        scene.refuse(error, mm, Operation::map, { rich, region, address, vm_read });
        scene.refuse(error, mm, Operation::unmap, { rich, address });
    }
    scene.refuse(Error::not_found, mm, Operation::unmap, { rich, begin + region_bytes_max });
}

// Memory that outlives its payer is paid for by nobody: so the machine can be full before a task's
// quota is.
TEST(Refusals, OfAFullMachine)
{
    Scene scene;
    auto const task = scene.new_task(80, 8, 1);
    auto const self = scene.derived(scene.self, rights_all, task);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, 2);
    auto const theirs = scene.region(60);
    ASSERT_EQ(scene.cap(CapOperation::move, theirs, 0, self), status_ok);
    auto const left = scene.word(2);
    scene.yield();
    ASSERT_EQ(scene.call(Call::vm_allocate, { 0, left, vm_read | vm_region }), status_ok);
    scene.end(task);
    while (scene.kernel.free_pages() > 8)
        scene.region(std::min<u64>(region_pages_max, scene.kernel.free_pages() - 4));
    while (scene.kernel.free_pages() > 0)
        scene.allocate_port();
    ASSERT_GT(scene.kernel.task(1)->pages, 8u);
    auto const refuse
        = [&](Words words, Call call) { scene.refuse(Error::no_memory, words, number_of(call)); };
    refuse({}, Call::port_allocate);
    refuse({ 0, page_bytes, vm_read }, Call::vm_allocate);
    auto const far = scene.kernel.machine().user_begin(1) + (u64 { 1 } << 35);
    refuse({ far, left, vm_read | vm_region }, Call::vm_allocate);
    refuse({ 1, page_bytes, 0 }, Call::sched_spawn);
    auto const operations_that = [&](char const* broker, Operation operation, Words words) {
        scene.refuse(Error::no_memory, scene.capability(broker), operation, words);
    };
    operations_that("broker-task", Operation::task_new, { 3, 0, 0 });
    operations_that("broker-task", Operation::thread_new, { scene.self, 1, 0, 0, 1, 0 });
    operations_that("broker-mm", Operation::map, { scene.self, left, far, vm_read });
    operations_that("broker-phys", Operation::region_physical, { 100, 1, 1 });
}

// Goal: a region is mapped as often as its links can be counted: one more, and its page table would
// be given away while tasks still have it.
// Method: isolated, where a mapping is no mapping of the host's; then the same through a derived
// capability, whose mappings share another leaf.
TEST(Refusals, OfRegionsMappedTooOften)
{
    constexpr u64 links_max = 65'535;
    for (auto const shares : { false, true }) {
        Scene scene(1, arch::Isolation::on);
        auto const mm = scene.capability("broker-mm");
        auto const own = scene.region(1);
        ASSERT_EQ(scene.call(Call::vm_deallocate, { scene.word(2), 1 }), status_ok);
        auto const region = shares ? scene.derived(own) : own;
        auto const& info = scene.page_of(own);
        u64 task = 0;
        u64 at = 0;
        u64 end = 0;
        for (u64 mapped = 0; mapped < links_max; ++mapped, at += region_bytes_max) {
            if (at == end) {
                task = scene.new_task(140, 1, 1);
                at = scene.word(4);
                end = scene.word(5);
            }
            ASSERT_EQ(scene.broker_of(mm, Operation::map, { task, region, at, vm_read }), status_ok)
                << mapped;
        }
        EXPECT_EQ(info.links, shares ? 1 : links_max);
        scene.refuse(Error::too_big, mm, Operation::map, { task, region, at, vm_read });
        scene.refuse(
            Error::too_big, { 0, region, vm_read | vm_region }, number_of(Call::vm_allocate));
        ASSERT_EQ(
            scene.broker_of(mm, Operation::unmap, { task, at - region_bytes_max }), status_ok);
        EXPECT_EQ(scene.broker_of(mm, Operation::map, { task, region, at, vm_read }), status_ok);
        ASSERT_EQ(scene.cap(CapOperation::close, own), status_ok);
        EXPECT_EQ(scene.audit(), "");
    }
}

// A capability whose numbers are used up is not passed on: the next would be one that was.
TEST(Refusals, OfCapabilitiesThatAreWornOut)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const gift = scene.allocate_port();
    auto& row = scene.row_of(gift);
    row.generation = handle_generation_max;
    auto const worn = u64 { handle_generation_max } << 32 | (gift & 0xFFFF'FFFF);
    auto const give = [&](u64 to, Call call, unsigned flags = 0, u64 receive = 0) {
        scene.refuse(Error::too_big, { to, tag_of(1, 1), 0, 0, 0, 0, 0, worn },
            number_of(call, flags), receive);
    };
    scene.refuse(Error::too_big, { worn, 0, static_cast<u64>(CapOperation::move) << 16 },
        number_of(Call::cap_move));
    give(port, Call::port_send);
    give(port, Call::port_receive, flag_call);
    give(port, Call::port_receive, flag_send_first, port);
    scene.run(scene.new_thread(scene.self));
    scene.yield();
    ASSERT_NE(scene.current().id, 1);
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    give(scene.current().frame.port(), Call::port_send);
    row.generation = 1;
    row.epoch = row_epoch_max;
    for (auto const operation : { CapOperation::derive, CapOperation::badge })
        scene.refuse(Error::too_big,
            { u64 { 1 } << 32 | (gift & 0xFFFF'FFFF), 0, static_cast<u64>(operation) << 16 },
            number_of(Call::cap_move));
}

// The list of all errors (deeds.hpp) against what the tests above have met: an error that is new
// needs its case here. The last of its file, and only when all of them ran.
TEST(Refusals, ThatAreAll)
{
    auto const* suite = testing::UnitTest::GetInstance()->current_test_suite();
    if (suite->test_to_run_count() != suite->total_test_count() || suite->Failed())
        GTEST_SKIP() << "not all of them ran";
    EXPECT_EQ(Scene::refusals().missing(Ledger::Rare::wanted), "");
}

} // namespace gemel
