// Goal: a call that fails changes nothing, whatever the call, the operation and the error.
// Method: each error of each call and broker operation on the real kernel; the whole state before
// and after is compared as facts (facts.cpp), and the books are audited.
#include "tests/model/scene.hpp"

#include "core/object/broker.hpp"

namespace gemel {
namespace {

constexpr u64 forged = u64 { 77 } << 32 | 5;
constexpr u64 call_right = rights_of(Right::call);
constexpr u64 beyond = u64 { 1 } << 32 | 0xFFFF'FFF0;

// Handles of the current task that are wrong, each in its way.
struct Wrong {
    u64 stale;
    u64 revoked;
    u64 expired;
    u64 dead;
    u64 foreign;
    u64 port; // for what wants no port
    u64 region; // for what wants no region
    u64 thread;
};

Wrong make_wrong(Scene& scene)
{
    Wrong wrong {};
    auto const parent = scene.allocate_port();
    wrong.revoked = scene.derived(parent);
    EXPECT_EQ(scene.cap(CapOperation::revoke, parent), status_ok);
    wrong.stale = scene.derived(parent);
    EXPECT_EQ(scene.cap(CapOperation::close, wrong.stale), status_ok);
    wrong.expired = scene.derived(parent);
    EXPECT_EQ(scene.cap(CapOperation::time_to_live, wrong.expired), status_ok);
    auto const ended = scene.allocate_port();
    wrong.dead = scene.derived(ended);
    EXPECT_EQ(scene.cap(CapOperation::destroy, ended), status_ok);
    auto const task = scene.new_task(8, 8, 1);
    wrong.foreign = scene.derived(parent, rights_all, task);
    wrong.port = parent;
    wrong.region = scene.region(1);
    wrong.thread = scene.new_thread(task);
    return wrong;
}

// Every way in which word `word` of a call can be no handle.
template <typename Load>
void refuse_handles(Scene& scene, Wrong const& wrong, Load&& load)
{
    std::pair<u64, Error> const handles[] = {
        { 0, Error::cap_invalid },
        { forged, Error::cap_invalid },
        { beyond, Error::cap_invalid },
        { ~reply_token_bit, Error::cap_invalid },
        { wrong.stale, Error::cap_invalid },
        { wrong.foreign, Error::not_owner },
        { wrong.revoked, Error::revoked },
        { wrong.expired, Error::revoked },
        { wrong.dead, Error::dead },
    };
    for (auto const& [handle, error] : handles) {
        SCOPED_TRACE(testing::Message() << "handle " << std::hex << handle);
        load(handle);
        scene.refused(error);
    }
}

} // namespace

TEST(Refusals, OfCallsOnOneHandle)
{
    Scene scene;
    auto const wrong = make_wrong(scene);
    auto const each = [&](auto&& load) { refuse_handles(scene, wrong, load); };
    each([&](u64 handle) { scene.load({ handle, 1 }, number_of(Call::signal)); });
    each([&](u64 handle) { scene.load({ handle, 1 }, number_of(Call::port_send)); });
    each([&](u64 handle) { scene.load({ handle, 1 }, number_of(Call::port_receive, flag_call)); });
    each([&](u64 handle) { scene.load({}, number_of(Call::port_receive), handle); });
    each([&](u64 handle) {
        scene.load({ wrong.port, 1 }, number_of(Call::port_receive, flag_send_first), handle);
    });
    each([&](u64 handle) {
        scene.load({ 0, handle, vm_read | vm_region }, number_of(Call::vm_allocate));
    });
    for (auto const operation : { CapOperation::derive, CapOperation::move, CapOperation::revoke,
             CapOperation::destroy, CapOperation::badge, CapOperation::time_to_live,
             CapOperation::watch, CapOperation::inspect, static_cast<CapOperation>(9) })
        each([&](u64 handle) {
            scene.load({ handle, 0, rights_all | static_cast<u64>(operation) << 16, 5, 1 },
                number_of(Call::cap_move));
        });
    each([&](u64 handle) { // capabilities in a message
        scene.load({ wrong.port, tag_of(1, 2), 0, 0, 0, 0, wrong.region, handle },
            number_of(Call::port_send));
    });
    each([&](u64 handle) {
        if (handle != 0) // 0 is the caller's own
            scene.load({ wrong.port, handle, rights_all }, number_of(Call::cap_move));
        else
            scene.load({ 0, 0, rights_all }, number_of(Call::cap_move));
    });
    each([&](u64 handle) {
        scene.load({ wrong.port, 0, static_cast<u64>(CapOperation::watch) << 16, handle, 1 },
            number_of(Call::cap_move));
    });
    scene.broker("broker-sched", Operation::scheduler_register, { wrong.port, 1 });
    each([&](u64 handle) { scene.load({ handle, 1 }, number_of(Call::sched_switch)); });
}

// The table of operations says which words are handles: each is tried with every wrong one, with
// another type, and without the rights.
TEST(Refusals, OfBrokerOperationsOnHandles)
{
    Scene scene;
    auto const wrong = make_wrong(scene);
    auto const task = scene.new_task(8, 8, 1);
    auto const good = [&](ObjectType type) {
        return type == ObjectType::task  ? task
            : type == ObjectType::thread ? wrong.thread
            : type == ObjectType::region ? wrong.region
                                         : wrong.port;
    };
    char const* const names[] = { "broker-task", "broker-mm", "broker-phys", "broker-irq",
        "broker-pio", "broker-sched", "broker-audit", "broker-machine" };
    u64 tried = 0;
    for (auto const& info : operations) {
        SCOPED_TRACE(std::string(info.name));
        auto const broker = scene.capability(names[static_cast<unsigned>(info.broker)]);
        for (auto const* wanted : { &info.first, &info.second }) {
            if (wanted->word == 0)
                continue;
            auto const load = [&](u64 handle) {
                u64 words[8] = { broker, static_cast<u64>(info.operation), 5, 5, 5, 5, 5, 0 };
                for (auto const* other : { &info.first, &info.second })
                    if (other->word != 0)
                        words[other->word] = good(other->type);
                words[wanted->word] = handle;
                scene.load(words, number_of(Call::port_receive, flag_call));
                ++tried;
            };
            refuse_handles(scene, wrong, load);
            for (auto const type :
                { ObjectType::task, ObjectType::thread, ObjectType::region, ObjectType::port }) {
                if (type == wanted->type)
                    continue;
                load(good(type));
                scene.refused(
                    wanted->type == ObjectType::port ? Error::port_invalid : Error::cap_invalid);
            }
            if (wanted->rights == 0)
                continue;
            auto const less = scene.derived(
                good(wanted->type), static_cast<Rights>(rights_all & ~wanted->rights));
            load(less);
            scene.refused(Error::no_rights);
            scene.cap(CapOperation::close, less);
        }
    }
    EXPECT_GT(tried, 200u);
}

// A broker capability without an operation's number in its range, or without the right to call.
TEST(Refusals, OfBrokersThatAreNarrowed)
{
    Scene scene;
    auto const broker = scene.capability("broker-task");
    auto const only_new
        = scene.badged(broker, broker_badge(Operation::task_new, 1), Right::call | Right::derive);
    scene.refuse(Error::no_rights, only_new, Operation::thread_run, { forged });
    scene.refuse(Error::bad_call, only_new, static_cast<Operation>(0x5F), {});
    scene.refuse(Error::bad_call, only_new, static_cast<Operation>(0x60), {});
    scene.refuse(Error::bad_call, only_new, static_cast<Operation>(0xFF), {});
    auto const mute = scene.derived(only_new, rights_of(Right::derive));
    scene.refuse(Error::no_rights, mute, Operation::task_new, { 4, 4, 1 });
    auto const badge = static_cast<u64>(CapOperation::badge) << 16;
    for (auto const wider : { broker_badge(Operation::task_new, 2), u64 { 0 },
             broker_badge(static_cast<Operation>(0x0F), 1) })
        scene.refuse(Error::no_rights, { only_new, 0, badge | call_right, wider },
            number_of(Call::cap_move));
    auto const phys = scene.badged(scene.capability("broker-phys"),
        broker_badge(Operation::region_physical, 1, 16, 2), Right::call | Right::derive);
    for (auto const& [first, pages] : { std::pair<u64, u64> { 16 * 256 - 1, 1 }, { 16 * 256, 513 },
             { 18 * 256 - 1, 2 }, { 18 * 256, 1 }, { 17 * 256, ~0ull } })
        scene.refuse(Error::no_rights, phys, Operation::region_physical, { first, pages, 0 });
    scene.refuse(Error::no_rights,
        { phys, 0, badge | call_right, broker_badge(Operation::region_physical, 1) },
        number_of(Call::cap_move));
    scene.refuse(Error::no_rights,
        { phys, 0, badge | call_right, broker_badge(Operation::region_physical, 1, 15, 2) },
        number_of(Call::cap_move));
}

TEST(Refusals, OfMessages)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const gift = scene.allocate_port();
    auto const region = scene.region(1);
    auto const sends = [&](Error error, Words words) {
        scene.refuse(error, words, number_of(Call::port_send));
        scene.refuse(error, words, number_of(Call::port_receive, flag_call));
        scene.refuse(error, words, number_of(Call::port_receive, flag_send_first), gift);
    };
    for (auto const tag : { u64 { 0xFF00 }, u64 { 0xFFFF }, u64 { 1 } << 16, u64 { 1 } << 27 })
        sends(Error::invalid, { port, tag });
    sends(Error::port_invalid, { region, 1 });
    sends(Error::port_invalid, { scene.self, 1 });
    sends(Error::no_rights, { scene.derived(port, Right::receive | Right::derive), 1 });
    sends(Error::invalid, { port, tag_of(1, 2), 0, 0, 0, 0, gift, gift });
    sends(Error::invalid, { port, tag_of(1, 3), 0, 0, 0, region, gift, region });
    sends(Error::no_rights,
        { port, tag_of(1, 2), 0, 0, 0, 0, gift, scene.derived(region, rights_of(Right::read)) });
    auto const caller_only = scene.derived(port, rights_of(Right::call));
    scene.refuse(Error::no_rights, { caller_only, 1 }, number_of(Call::port_send));
    scene.refuse(Error::no_rights, { caller_only, 1 }, number_of(Call::signal));
    scene.refuse(Error::no_rights, {}, number_of(Call::port_receive), caller_only);
    scene.refuse(Error::port_invalid, {}, number_of(Call::port_receive), region);
    scene.refuse(Error::port_invalid, { region, 1 }, number_of(Call::signal));
    scene.refuse(Error::timed_out, {}, number_of(Call::port_receive, flag_poll), port);
    scene.now_ns += tick_ns;
    scene.refuse(Error::timed_out, {}, number_of(Call::port_receive, 0, 1), port);
    // A deadline of this very moment has passed.
    scene.refuse(Error::timed_out, {}, number_of(Call::port_receive, 0, tick_ns / 1000), port);
}

TEST(Refusals, OfAFullRing)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const gift = scene.allocate_port();
    for (u32 sent = 0; sent < port_ring_messages; ++sent)
        ASSERT_EQ(scene.call(Call::port_send, { port, 1, sent }), status_ok);
    scene.refuse(
        Error::port_full, { port, tag_of(1, 1), 0, 0, 0, 0, 0, gift }, number_of(Call::port_send));
    auto const once = scene.derived(port, Right::send | Right::send_once);
    scene.refuse(Error::port_full, { once, 1 }, number_of(Call::port_send));
    // Over and over, so that the ring turns around; in order, with nothing lost.
    for (u32 round = 0; round < 3 * port_ring_messages; ++round) {
        ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
        ASSERT_EQ(scene.word(2), round);
        ASSERT_EQ(
            scene.call(Call::port_send, { port, 1, round + port_ring_messages, 3, 4, 5, 6, 7 }),
            status_ok);
    }
}

TEST(Refusals, OfMessagesToOtherTasks)
{
    Scene scene;
    auto const task = scene.new_task(8, 2, 1);
    auto const port = scene.allocate_port();
    auto const theirs = scene.derived(port, Right::receive | Right::derive, task);
    EXPECT_NE(theirs, 0u);
    auto const first = scene.allocate_port();
    auto const second = scene.allocate_port();
    // It has room for one.
    scene.refuse(Error::quota, { port, tag_of(1, 2), 0, 0, 0, 0, first, second },
        number_of(Call::port_send));
    ASSERT_EQ(scene.call(Call::port_send, { port, tag_of(1, 1), 0, 0, 0, 0, 0, first }), status_ok);
    scene.refuse(
        Error::quota, { port, tag_of(1, 1), 0, 0, 0, 0, 0, second }, number_of(Call::port_send));
    scene.refuse(Error::quota, { second, task, rights_all }, number_of(Call::cap_move));
    scene.refuse(Error::quota, { second, task, static_cast<u64>(CapOperation::move) << 16 },
        number_of(Call::cap_move));
    ASSERT_EQ(scene.cap(CapOperation::destroy, task), status_ok);
    scene.refuse(
        Error::dead, { port, tag_of(1, 1), 0, 0, 0, 0, 0, second }, number_of(Call::port_send));
    scene.refuse(Error::dead, { second, task, rights_all }, number_of(Call::cap_move));
}

TEST(Refusals, OfReplies)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const gift = scene.allocate_port();
    scene.run(scene.new_thread(scene.self));
    auto const server = scene.current().id;
    scene.yield(); // the other calls
    auto const client = scene.current().id;
    ASSERT_NE(server, client);
    scene.trap({ port, 1 }, number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.current().id, server);
    // Queued, but not received.
    scene.refuse(Error::cap_invalid, { scene.reply_token(client) }, number_of(Call::port_send));
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    auto const token = scene.reply_token(client);
    EXPECT_EQ(scene.current().frame.port(), token);
    for (u64 const wrong : Words { token + 1, token ^ u64 { 1 } << 32, token - client + threads_max,
             reply_token_bit, ~u64 { 0 } }) {
        scene.refuse(Error::cap_invalid, { wrong }, number_of(Call::port_send));
        scene.refuse( // gift is a port where nothing waits
            Error::cap_invalid, { wrong }, number_of(Call::port_receive, flag_send_first), gift);
    }
    scene.refuse(Error::invalid, { token, 0xFF03 }, number_of(Call::port_send));
    scene.refuse(Error::cap_invalid, { token, tag_of(0, 1), 0, 0, 0, 0, 0, forged },
        number_of(Call::port_send));
    scene.refuse(Error::invalid, { token, tag_of(0, 2), 0, 0, 0, 0, gift, gift },
        number_of(Call::port_send));
    // Another task guesses it.
    auto const task = scene.new_task(8, 8, 1);
    auto const theirs = scene.new_thread(task);
    scene.run(theirs);
    scene.yield();
    ASSERT_NE(scene.current().task->index, 1);
    scene.refuse(Error::not_owner, { token }, number_of(Call::port_send));
    auto const own = scene.allocate_port();
    scene.refuse(Error::not_owner, { token }, number_of(Call::port_receive, flag_send_first), own);
    scene.yield();
    ASSERT_EQ(scene.current().id, server);
    ASSERT_EQ(scene.call(Call::port_send, { token, 0, 1, 2, 3, 4, 5, 6 }), status_ok);
    scene.refuse(Error::cap_invalid, { token }, number_of(Call::port_send)); // once
}

TEST(Refusals, OfCapabilities)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const fixed = scene.derived(port, Right::send | Right::receive);
    auto const operation = [](CapOperation wanted, Rights rights = rights_all) {
        return rights | static_cast<u64>(wanted) << 16;
    };
    auto const moves
        = [&](Error error, Words words) { scene.refuse(error, words, number_of(Call::cap_move)); };
    for (auto const wanted : { CapOperation::derive, CapOperation::move, CapOperation::badge })
        moves(Error::no_rights, { fixed, 0, operation(wanted, rights_of(Right::send)), 3 });
    moves(Error::no_rights, { fixed, 0, operation(CapOperation::destroy) });
    auto const sender = scene.derived(port, Right::send | Right::derive);
    moves(Error::no_rights,
        { sender, 0, operation(CapOperation::derive, rights_of(Right::receive)) });
    moves(Error::no_rights, { sender, 0, operation(CapOperation::derive, 1 << 10) });
    auto const caller = scene.derived(port, Right::call | Right::derive);
    moves(Error::no_rights, { caller, 0, operation(CapOperation::derive, rights_of(Right::send)) });
    auto const badged = scene.badged(port, 9);
    moves(Error::no_rights, { badged, 0, operation(CapOperation::badge), 10 });
    moves(Error::no_rights, { scene.derived(badged), 0, operation(CapOperation::badge), 10 });
    moves(Error::invalid, { port, 0, operation(static_cast<CapOperation>(9)) });
    moves(Error::invalid, { port, 0, operation(static_cast<CapOperation>(0xFF)) });
    moves(Error::invalid, { port, 0, operation(CapOperation::watch), port, 0 });
    moves(Error::invalid, { port, 0, operation(CapOperation::watch), port, 3 });
    moves(Error::no_rights, { port, 0, operation(CapOperation::watch), caller, 1 });
    moves(Error::port_invalid, { port, 0, operation(CapOperation::watch), scene.self, 1 });
    moves(
        Error::invalid, { port, 0, operation(CapOperation::time_to_live), (u64 { 1 } << 54) + 1 });
    moves(Error::invalid, { scene.self, 0, operation(CapOperation::destroy) });
    auto const task = scene.new_task(4, 4, 1);
    auto const weak = scene.derived(task, rights_all & ~Rights(Right::grant));
    moves(Error::no_rights, { port, weak, operation(CapOperation::derive) });
    moves(Error::no_rights, { port, weak, operation(CapOperation::move) });
    moves(Error::cap_invalid, { port, port, operation(CapOperation::derive) });
    moves(Error::invalid,
        { scene.capability("broker-task"), 0, operation(CapOperation::close, 0) | 9 << 16 });
    auto deep = port;
    for (unsigned depth = 0; depth < row_depth_max; ++depth)
        deep = scene.derived(deep);
    moves(Error::too_big, { deep, 0, operation(CapOperation::derive) });
    ASSERT_EQ(scene.cap(CapOperation::destroy, task), status_ok);
    moves(Error::dead, { task, 0, operation(CapOperation::destroy) });
}

// Which rights of a broker's capability destroy it: none.
TEST(Refusals, OfTheEndOfBrokersAndThreadsThatRun)
{
    Scene scene;
    auto const destroy = static_cast<u64>(CapOperation::destroy) << 16;
    scene.refuse(Error::no_rights, { scene.capability("broker-task"), 0, destroy },
        number_of(Call::cap_move));
    auto const thread = scene.new_thread(scene.self);
    scene.run(thread);
    scene.yield();
    // The new thread runs: it may not free, stop or look into itself.
    scene.refuse(Error::invalid, { thread, 0, destroy }, number_of(Call::cap_move));
    auto const broker = scene.capability("broker-task");
    scene.refuse(Error::invalid, broker, Operation::thread_stop, { thread });
    scene.refuse(Error::invalid, broker, Operation::thread_get, { thread, 0 });
    scene.refuse(Error::invalid, broker, Operation::thread_set, { thread, 0, 1 });
    scene.refuse(Error::not_runnable, broker, Operation::thread_run, { thread });
}

TEST(Refusals, OfMemory)
{
    Scene scene;
    auto const begin = scene.startup->address_begin;
    auto const free = begin + (u64 { 1 } << 33); // no tables yet
    auto const allocates = [&](Error error, Words words) {
        scene.refuse(error, words, number_of(Call::vm_allocate));
    };
    auto const region = scene.region(3);
    auto const mapped = scene.word(2);
    for (auto const flags : { 0, vm_write + 0, vm_execute + 0, vm_read | vm_write | vm_execute,
             vm_read | 1 << 5, vm_read | 1 << 15 }) {
        allocates(Error::invalid, { 0, page_bytes, static_cast<u64>(flags) });
        allocates(Error::invalid, { free, page_bytes, static_cast<u64>(flags) });
        allocates(Error::invalid, { 0, region, static_cast<u64>(flags | vm_region) });
    }
    allocates(Error::invalid, { 0, 0, vm_read });
    allocates(Error::too_big, { 0, region_bytes_max + 1, vm_read });
    allocates(Error::too_big, { 0, ~0ull, vm_read });
    for (u64 const address : Words { begin - region_bytes_max, scene.startup->address_end,
             ~u64 { 0 } << 21, u64 { 1 } << 47, 0xFFFF'8000'0000'0000 })
        allocates(Error::invalid, { address, page_bytes, vm_read });
    allocates(Error::align, { free + page_bytes, page_bytes, vm_read });
    allocates(Error::exists, { mapped, page_bytes, vm_read });
    auto const reader = scene.derived(region, Right::read | Right::derive);
    allocates(Error::no_rights, { free, reader, vm_read | vm_write | vm_region });
    allocates(Error::no_rights, { free, reader, vm_read | vm_execute | vm_region });
    allocates(Error::no_rights, { free, reader, vm_read | vm_lasting | vm_region });
    auto const blind = scene.derived(region, Right::write | Right::derive);
    allocates(Error::no_rights, { free, blind, vm_read | vm_region });
    allocates(Error::cap_invalid, { free, scene.self, vm_read | vm_region });
    auto const frees = [&](Error error, Words words) {
        scene.refuse(error, words, number_of(Call::vm_deallocate));
    };
    frees(Error::invalid, { mapped, 0 });
    frees(Error::invalid, { mapped, (u64 { 1 } << 36) + 1 });
    frees(Error::invalid, { begin - region_bytes_max, 1 });
    frees(Error::align, { mapped + page_bytes, 1 });
    frees(Error::not_found, { free, 1 });
    frees(Error::not_found, { mapped, u64 { 1 } << 30 });
    for (u64 const last : Words { ~u64 { 0 } << 21, ~u64 { 0 } << 30 })
        for (u64 const bytes : Words { 1, region_bytes_max, u64 { 1 } << 36 })
            frees(Error::invalid, { last, bytes });
}

// Each page that a mapping may need is, in turn, the one that is not there.
TEST(Refusals, OfMemoryByQuota)
{
    for (u64 pages = 3; pages < 12; ++pages) {
        SCOPED_TRACE(testing::Message() << pages << " pages");
        Scene scene;
        auto const mine = scene.region(1);
        auto const lent = scene.derived(mine, Right::read | Right::write);
        auto const task = scene.new_task(pages, 4, 1);
        auto const address
            = scene.kernel.machine().user_begin(static_cast<u32>(scene.kernel.task(2) ? 2 : 0))
            + (u64 { 1 } << 33);
        auto const broker = scene.capability("broker-mm");
        scene.load(broker, Operation::map, { task, lent, address, vm_read });
        auto const before = scene.facts();
        scene.enter();
        if (scene.status() == status_ok)
            break;
        EXPECT_EQ(scene.status(), status_of(Error::quota));
        EXPECT_EQ(difference(before, scene.facts()), "");
        ASSERT_LT(pages, 11u);
    }
}

// The region's payer has no page left for the leaf that derived mappings share.
TEST(Refusals, OfASharedLeafByQuota)
{
    Scene scene;
    scene.run(scene.new_thread(scene.new_task(24, 40, 1)));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, 2);
    auto const region = scene.region(1);
    auto const lent = scene.derived(region, Right::read | Right::write);
    // The page of records is there from now on.
    ASSERT_EQ(scene.call(Call::vm_allocate, { 0, lent, vm_read | vm_region }), status_ok);
    ASSERT_EQ(scene.call(Call::vm_deallocate, { scene.word(2), 1 }), status_ok);
    while (scene.kernel.task(2)->pages != 0)
        ASSERT_EQ(scene.call(Call::port_allocate, {}), status_ok);
    scene.refuse(Error::quota, { 0, lent, vm_read | vm_region }, number_of(Call::vm_allocate));
    scene.refuse(Error::quota,
        { scene.kernel.machine().user_begin(2) + (u64 { 1 } << 33), lent, vm_read | vm_region },
        number_of(Call::vm_allocate));
}

// The same when another task maps what it was lent: the payer's last page makes that leaf, and one
// mapping more needs none.
TEST(Refusals, OfASharedLeafByItsPayersQuota)
{
    for (u64 const left : { 0u, 1u }) {
        SCOPED_TRACE(testing::Message() << left << " pages");
        Scene scene;
        auto const task = scene.new_task(24, 40, 1);
        auto const init = scene.derived(scene.self, rights_all, task);
        scene.run(scene.new_thread(task));
        scene.yield();
        ASSERT_EQ(scene.current().task->index, 2);
        auto const region = scene.region(1);
        auto const first = scene.derived(region, Right::read | Right::write, init);
        auto const second = scene.derived(region, Right::read | Right::write, init);
        auto const& payer = *scene.kernel.task(2);
        while (payer.pages > left)
            ASSERT_EQ(scene.call(Call::port_allocate, {}), status_ok);
        scene.yield();
        ASSERT_EQ(scene.current().task->index, 1);
        ASSERT_GT(scene.current().task->pages, 8u); // what is the caller's to pay is there
        scene.load({ 0, first, vm_read | vm_region }, number_of(Call::vm_allocate));
        if (left == 0) {
            scene.refused(Error::quota);
            continue;
        }
        scene.enter();
        EXPECT_EQ(scene.status(), status_ok);
        EXPECT_EQ(payer.pages, 0u);
        EXPECT_EQ(scene.call(Call::vm_allocate, { 0, second, vm_read | vm_region }), status_ok);
        EXPECT_EQ(scene.audit(), "");
    }
}

// As many pages as there may be of what a mapping needs, when all of it is the caller's to pay.
TEST(Refusals, OfAMappingByQuota)
{
    for (u64 left = 0; left < 8; ++left) {
        SCOPED_TRACE(testing::Message() << left << " pages");
        Scene scene;
        scene.run(scene.new_thread(scene.new_task(24, 40, 1)));
        scene.yield();
        ASSERT_EQ(scene.current().task->index, 2);
        auto const lent = scene.derived(scene.region(1), Right::read | Right::write);
        while (scene.kernel.task(2)->pages > left)
            ASSERT_EQ(scene.call(Call::port_allocate, {}), status_ok);
        // A record and the shared leaf; elsewhere a table as well.
        for (auto const& [address, needed] :
            { std::pair<u64, u64> { u64 { 1 } << 33, 3 }, { 64 * region_bytes_max, 2 } }) {
            scene.load(
                { scene.kernel.machine().user_begin(2) + address, lent, vm_read | vm_region },
                number_of(Call::vm_allocate));
            if (left < needed)
                scene.refused(Error::quota);
        }
    }
}

// The same for fresh memory: its leaf and three pages; elsewhere a table as well.
TEST(Refusals, OfFreshMemoryByQuota)
{
    for (u64 left = 0; left < 8; ++left) {
        SCOPED_TRACE(testing::Message() << left << " pages");
        Scene scene;
        scene.run(scene.new_thread(scene.new_task(24, 40, 1)));
        scene.yield();
        ASSERT_EQ(scene.current().task->index, 2);
        scene.region(1); // the tables of the first addresses are there from now on
        while (scene.kernel.task(2)->pages > left)
            ASSERT_EQ(scene.call(Call::port_allocate, {}), status_ok);
        for (auto const& [address, needed] :
            { std::pair<u64, u64> { u64 { 1 } << 33, 5 }, { 64 * region_bytes_max, 4 } }) {
            scene.load({ scene.kernel.machine().user_begin(2) + address, 3 * page_bytes, vm_read },
                number_of(Call::vm_allocate));
            if (left < needed)
                scene.refused(Error::quota);
        }
    }
}

// A task that has used up its rows, pages or threads.
TEST(Refusals, OfWhatTheQuotaDoesNotHold)
{
    Scene scene;
    auto const rows = scene.new_task(12, 0, 2); // without a row
    scene.run(scene.new_thread(rows));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, 2);
    scene.refuse(Error::quota, {}, number_of(Call::port_allocate));
    scene.refuse(Error::quota, { 0, page_bytes, vm_read }, number_of(Call::vm_allocate));
    scene.refuse(Error::quota, { 1, page_bytes, 0 }, number_of(Call::sched_spawn));
    scene.yield();
    auto const poor = scene.new_task(3, 4, 1); // its root, its thread, and one page
    scene.run(scene.new_thread(poor));
    scene.yield();
    if (scene.current().task->index == 2)
        scene.yield();
    ASSERT_EQ(scene.current().task->index, 3);
    scene.refuse(Error::quota, { 1, page_bytes, 0 }, number_of(Call::sched_spawn));
    scene.refuse(Error::quota, { 0, page_bytes, vm_read }, number_of(Call::vm_allocate));
    EXPECT_EQ(scene.call(Call::port_allocate, {}), status_ok);
    scene.refuse(Error::quota, {}, number_of(Call::port_allocate));
}

// Operations whose result is a handle, by a task that has no row for it.
TEST(Refusals, OfResultsWithoutARow)
{
    Scene scene;
    auto const task = scene.new_task(16, 4, 3);
    auto const call_right = Right::call | Right::derive;
    auto const tasks = scene.derived(scene.capability("broker-task"), call_right, task);
    auto const physical = scene.derived(scene.capability("broker-phys"), call_right, task);
    auto const self = scene.derived(task, rights_all, task);
    scene.derived(scene.self, rights_all, task);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, 2);
    scene.refuse(Error::quota, tasks, Operation::thread_new, { self, 1, 0, 0, 1, 0 });
    scene.refuse(Error::quota, tasks, Operation::task_new, { 3, 0, 0 });
    scene.refuse(Error::quota, physical, Operation::region_physical, { 100, 1, 1 });
    scene.refuse(Error::quota, {}, number_of(Call::port_allocate));
    scene.refuse(Error::quota, { 1, 0, 0 }, number_of(Call::sched_spawn));
    scene.refuse(Error::quota, { 0, page_bytes, vm_read }, number_of(Call::vm_allocate));
}

// Objects are pages: a task without one left gets no thread, no region and no port.
TEST(Refusals, OfObjectsWithoutAPage)
{
    Scene scene;
    auto const task = scene.new_task(3, 8, 4);
    auto const physical
        = scene.derived(scene.capability("broker-phys"), rights_of(Right::call), task);
    scene.run(scene.new_thread(task));
    scene.yield();
    ASSERT_EQ(scene.current().task->index, 2);
    scene.allocate_port();
    ASSERT_EQ(scene.kernel.task(2)->pages, 0u);
    scene.refuse(Error::quota, {}, number_of(Call::port_allocate));
    scene.refuse(Error::quota, { 1, 0, 0 }, number_of(Call::sched_spawn));
    scene.refuse(Error::quota, { 0, page_bytes, vm_read }, number_of(Call::vm_allocate));
    scene.refuse(Error::quota, physical, Operation::region_physical, { 100, 1, 1 });
}

TEST(Refusals, OfNewTasksAndThreads)
{
    Scene scene;
    auto const broker = scene.capability("broker-task");
    auto const& init = *scene.kernel.task(1);
    for (auto const& [pages, rows, threads] :
        { std::array<u64, 3> { 1, 1, 1 }, { init.pages, 1, 1 }, { 4, u64 { init.rows } + 1, 1 },
            { 4, init.rows, 1 }, { 4, 1, u64 { init.threads } + 1 }, { u64 { 1 } << 32, 1, 1 },
            { 4, u64 { 1 } << 32, 1 }, { 4, 1, u64 { 1 } << 32 }, { ~0ull, ~0ull, ~0ull } })
        scene.refuse(Error::quota, broker, Operation::task_new, { pages, rows, threads });
    auto const task = scene.new_task(3, 1, 1);
    auto const port = scene.allocate_port();
    auto const receiver = scene.derived(port, rights_of(Right::receive));
    auto const makes = [&](Error error, u64 priority, u64 fault_port) {
        scene.refuse(error, broker, Operation::thread_new, { task, 1, 0, 0, priority, fault_port });
    };
    makes(Error::invalid, priority_levels, 0);
    makes(Error::invalid, ~0ull, 0);
    makes(Error::cap_invalid, 1, forged);
    makes(Error::port_invalid, 1, task);
    makes(Error::no_rights, 1, receiver);
    scene.new_thread(task);
    makes(Error::quota, 1, 0);
    auto const reaps = [&](Error error, u64 cursor) {
        scene.refuse(error, broker, Operation::task_reap, { task, cursor });
    };
    reaps(Error::not_runnable, 0);
    ASSERT_EQ(scene.cap(CapOperation::destroy, task), status_ok);
    makes(Error::dead, 1, 0);
    auto const mm = scene.capability("broker-mm");
    auto const region = scene.region(1);
    scene.refuse(Error::dead, mm, Operation::map, { task, region, region_bytes_max, vm_read });
    scene.refuse(Error::dead, mm, Operation::unmap, { task, region_bytes_max });
    // A cursor that is not the one that was answered: steps cannot be left out.
    auto const rows = scene.kernel.rows().size();
    for (u64 const cursor :
        Words { 1, 2, rows + 1, rows + scene.kernel.pages().size(), ~u64 { 0 } })
        reaps(Error::invalid, cursor);
}

TEST(Refusals, OfBrokerArguments)
{
    Scene scene;
    auto const task = scene.new_task(8, 8, 2);
    auto const thread = scene.new_thread(task);
    auto const region = scene.region(2);
    auto const port = scene.allocate_port();
    auto const refuse = [&](Error error, char const* broker, Operation operation, Words words) {
        SCOPED_TRACE(testing::Message() << std::hex << static_cast<unsigned>(operation));
        scene.refuse(error, scene.capability(broker), operation, words);
    };
    for (u64 const index : Words { 12, 0x10000, u64 { 1 } << 32, ~u64 { 0 } }) {
        refuse(Error::invalid, "broker-task", Operation::thread_get, { thread, index });
        refuse(Error::invalid, "broker-task", Operation::thread_set, { thread, index, 1 });
    }
    refuse(Error::invalid, "broker-task", Operation::thread_foreign, { thread, 2 });
    refuse(Error::invalid, "broker-mm", Operation::protect, { region, 512, 0, vm_read });
    refuse(Error::invalid, "broker-mm", Operation::protect, { region, 511, 2, vm_read });
    refuse(Error::invalid, "broker-mm", Operation::protect, { region, ~0ull, 2, vm_read });
    refuse(Error::invalid, "broker-mm", Operation::protect, { region, 0, ~0ull, vm_read });
    refuse(Error::invalid, "broker-mm", Operation::protect, { region, 0, 1, 1 << 4 });
    auto const other = scene.region(1);
    for (auto const& [to, from] :
        { std::pair<u64, u64> { 512, 0 }, { 0, 512 }, { 0, 1 }, { ~0ull, 0 }, { 0, ~0ull } })
        refuse(Error::invalid, "broker-mm", Operation::fill, { region, to, other, from });
    refuse(Error::bad_call, "broker-mm", Operation { 0x24 }, { region, 0, other, 0 });
    scene.refuse(Error::bad_call,
        { scene.capability("broker-mm"), 0x100 + static_cast<u64>(Operation::fill), region, 0,
            other, 0 },
        number_of(Call::port_receive, flag_call));
    ASSERT_EQ(scene.broker("broker-phys", Operation::region_physical, { 100, 1, 1 }), status_ok);
    auto const physical = scene.word(2);
    refuse(Error::invalid, "broker-mm", Operation::fill, { physical, 0, other, 0 });
    refuse(Error::invalid, "broker-mm", Operation::fill, { other, 0, physical, 0 });
    refuse(Error::invalid, "broker-phys", Operation::region_address, { region, 2 });
    refuse(Error::invalid, "broker-phys", Operation::region_address, { region, 512 });
    refuse(Error::too_big, "broker-phys", Operation::region_physical, { 0, 513, 0 });
    refuse(Error::invalid, "broker-phys", Operation::region_physical, { 0, 0, 0 });
    refuse(Error::invalid, "broker-phys", Operation::region_physical, { u64 { 1 } << 40, 1, 0 });
    refuse(
        Error::invalid, "broker-phys", Operation::region_physical, { (u64 { 1 } << 40) - 1, 2, 0 });
    for (u64 const line : Words { arch::tick_line, arch::interrupt_lines_max, ~u64 { 0 } }) {
        refuse(Error::invalid, "broker-irq", Operation::irq_bind, { line, port, 1 });
        refuse(Error::invalid, "broker-irq", Operation::irq_acknowledge, { line });
    }
    refuse(Error::invalid, "broker-irq", Operation::msi_allocate,
        { arch::interrupt_lines_max, port, 1 });
    refuse(Error::unavailable, "broker-irq", Operation::msi_allocate, { 1, port, 1 });
    for (auto const& [at, bytes] :
        { std::pair<u64, u64> { 0x10000, 1 }, { 0, 0 }, { 0, 3 }, { 0, 8 }, { 0, ~0ull } }) {
        refuse(Error::invalid, "broker-pio", Operation::pio_read, { at, bytes });
        refuse(Error::invalid, "broker-pio", Operation::pio_write, { at, bytes, 1 });
    }
    refuse(Error::invalid, "broker-sched", Operation::thread_priority, { thread, 8 });
    refuse(Error::invalid, "broker-sched", Operation::thread_affinity, { thread, 0 });
    refuse(Error::invalid, "broker-sched", Operation::thread_affinity, { thread, 2 });
    refuse(Error::invalid, "broker-audit", Operation::audit_row, { scene.kernel.rows().size() });
    refuse(Error::invalid, "broker-audit", Operation::audit_thread, { threads_max });
    refuse(Error::not_found, "broker-audit", Operation::audit_thread, { threads_max - 1 });
    refuse(Error::invalid, "broker-audit", Operation::audit_task, { tasks_max });
    refuse(Error::not_found, "broker-audit", Operation::audit_task, { tasks_max - 1 });
    refuse(Error::not_found, "broker-audit", Operation::audit_task, { 0 });
    refuse(Error::invalid, "broker-audit", Operation::audit_port, { scene.kernel.pages().size() });
    refuse(Error::not_found, "broker-audit", Operation::audit_port, { 1 });
    refuse(Error::invalid, "broker-machine", Operation::power_off, { 256 });
}

TEST(Refusals, OfTheScheduler)
{
    Scene scene;
    auto const thread = scene.new_thread(scene.self);
    auto const switches = [&](Error error, u64 to) {
        scene.refuse(error, { to, 1 }, number_of(Call::sched_switch));
    };
    switches(Error::no_rights_sched, thread);
    auto const port = scene.allocate_port();
    ASSERT_EQ(scene.broker("broker-sched", Operation::scheduler_register, { port, 1 }), status_ok);
    switches(Error::not_runnable, thread);
    switches(Error::cap_invalid, port);
    switches(Error::cap_invalid, forged);
}

TEST(Refusals, OfCallsThatAreNone)
{
    Scene scene;
    for (auto const number : { 0u, 13u, 14u, 0x7Fu, 0xFFu })
        scene.refuse(Error::bad_call, { 1, 2, 3 }, number);
    scene.refuse(Error::too_big, { 49, 0, 'a' }, number_of(Call::debug_print));
    scene.refuse(Error::too_big, { ~0ull, 0, 'a' }, number_of(Call::debug_print));
}

// An answer to a fault that is to fill is refused for what the operation itself is, whichever way
// it comes, and the fault can still be answered.
TEST(Refusals, FillingAnswers)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const target = scene.region(1);
    auto const source = scene.region(1);
    auto const mm = scene.capability("broker-mm");
    auto const narrow
        = scene.badged(mm, broker_badge(Operation::map, 3), Right::call | Right::derive);
    auto const mute = scene.derived(mm, rights_of(Right::derive));
    auto const revoked = scene.derived(source, rights_all);
    auto const parent = scene.derived(mm, Right::call | Right::derive);
    auto const broker = scene.derived(parent, rights_of(Right::call));
    ASSERT_EQ(scene.cap(CapOperation::revoke, parent), status_ok);
    ASSERT_EQ(scene.cap(CapOperation::revoke, source), status_ok);
    auto const reader = scene.derived(source, rights_of(Right::read));
    auto const lent = scene.derived(target, Right::grant | Right::read);
    auto const full = scene.derived(target, rights_all);
    scene.run(scene.new_thread(scene.self, Scene::init_level, port));
    scene.yield();
    scene.kernel.on_fault({ .kind = FaultKind::page, .address = 4096, .code = 6 });
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    auto const token = scene.current().frame.port();
    auto const refuse = [&](Error error, u64 to, u64 page, u64 from, u64 from_page, u64 through) {
        Words const words { token, static_cast<u64>(FaultReply::fill), to, page, from, from_page,
            through };
        scene.refuse(error, words, number_of(Call::port_send));
        scene.refuse(error, words, number_of(Call::port_receive, flag_send_first), port);
    };
    refuse(Error::cap_invalid, full, 0, source, 0, 0);
    refuse(Error::cap_invalid, full ^ u64 { 1 } << 32, 0, source, 0, mm);
    refuse(Error::cap_invalid, full | 0xFFFF'FFFF, 0, source, 0, mm);
    refuse(Error::cap_invalid, full, 0, source, 0, port);
    refuse(Error::no_rights, full, 0, source, 0, narrow);
    refuse(Error::no_rights, full, 0, source, 0, mute);
    refuse(Error::revoked, full, 0, source, 0, broker);
    refuse(Error::cap_invalid, port, 0, source, 0, mm);
    refuse(Error::no_rights, lent, 0, source, 0, mm);
    refuse(Error::cap_invalid, full, 0, mm, 0, mm);
    refuse(Error::no_rights, full, 0, reader, 0, mm);
    refuse(Error::revoked, full, 0, revoked, 0, mm);
    refuse(Error::invalid, full, 512, source, 0, mm);
    refuse(Error::invalid, full, 0, source, 1, mm);
    refuse(Error::invalid, full, 0, source, 512, mm);
    ASSERT_EQ(
        scene.call(Call::port_send, { token, static_cast<u64>(FaultReply::resume) }), status_ok);
}

} // namespace gemel
