// Memory that outlives the one who gave it.
#include "servers/rt/session_memory.hpp"
#include "servers/rt/test/in_program.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace gemel {
namespace {

// In a task of its own: allocates a region and sends it to the port that it was started with. Uses
// nothing but system calls: this task has no run-time.
void give_a_region(u64 port)
{
    auto const mapping = system::vm_allocate(0, 3 * page_bytes, VmFlag::read | VmFlag::write);
    auto const shared = system::cap_move(mapping->region, 0, CapOperation::derive,
        Right::read | Right::write | Right::derive | Right::grant);
    *reinterpret_cast<u64*>(mapping->address + page_bytes) = 42;
    (void)system::port_send(
        port, { .tag = tag_of(1, 1), .words = { 0, 0, 0, 0, 0, shared->word2 } });
    for (;;)
        (void)system::sched_yield();
}

// Starts a task that gives a region to `port`.
Handle start_giver(TaskBroker const& tasks, MemoryBroker const& memory, Handle const& port)
{
    auto task = std::move(*tasks.task_new({ .pages = 64, .rows = 16, .threads = 1 }, "giver"));
    auto const stack = system::vm_allocate(0, 16 * page_bytes, VmFlag::read | VmFlag::write);
    // Its window (arch/hosted/include/gemel/arch/machine.hpp) is the one where the kernel lets us
    // map.
    Handle const region { stack->region };
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
        { .entry = reinterpret_cast<u64>(&give_a_region),
            .stack_top = place + 16 * page_bytes,
            .argument = theirs->word2,
            .priority = 4 },
        Handle());
    EXPECT_TRUE(thread && tasks.thread_run(*thread));
    return task;
}

} // namespace

// Goal: a client that dies takes nothing from under a server that still maps its memory, and the
// memory comes back when the server lets go.
TEST(SharedRegion, OutlivesItsDeadPayer)
{
    EXPECT_EQ(test::in_program([](Env& env) {
        TaskBroker const tasks { std::move(*env.take_handle("broker-task")) };
        MemoryBroker const memory { std::move(*env.take_handle("broker-mm")) };
        AuditBroker const audit { std::move(*env.take_handle("broker-audit")) };
        Handle const port { *system::port_allocate() };
        auto task = start_giver(tasks, memory, port);
        auto const received = system::port_receive(port.value());
        Incoming in { received->message };
        auto region = std::move(*SharedRegion::map(in.take(0)));
        auto const* const word = reinterpret_cast<u64*>(region.span().data() + page_bytes);
        EXPECT_EQ(*word, 42u);
        EXPECT_TRUE(system::cap_move(task.value(), 0, CapOperation::destroy));
        for (u64 cursor = *tasks.task_reap(task, 0); cursor != 0;)
            cursor = *tasks.task_reap(task, cursor);
        auto const while_mapped = audit.totals()->pages_free;
        EXPECT_EQ(*word, 42u);
        EXPECT_EQ(region.bytes(), 3 * page_bytes);
        region = SharedRegion();
        EXPECT_EQ(audit.totals()->pages_free, while_mapped + 4); // three and their table
    }),
        0);
}

// Goal: the same when the giver destroys it: capabilities die, the mapping stays until it is let
// go.
TEST(SharedRegion, OutlivesItsDestruction)
{
    EXPECT_EQ(test::in_program([](Env& env) {
        AuditBroker const audit { std::move(*env.take_handle("broker-audit")) };
        auto const free_before = audit.totals()->pages_free;
        auto const mapping = system::vm_allocate(0, 2 * page_bytes, VmFlag::read | VmFlag::write);
        Handle root { mapping->region };
        auto theirs = std::move(
            *SharedRegion::map(std::move(*root.derive(Right::read | Right::write | Right::grant))));
        theirs.span()[page_bytes] = std::byte { 5 };
        EXPECT_TRUE(root.destroy());
        EXPECT_EQ(theirs.handle().inspect().error(), Error::dead);
        EXPECT_TRUE(system::vm_deallocate(mapping->address, 2 * page_bytes));
        EXPECT_EQ(theirs.span()[page_bytes], std::byte { 5 });
        theirs = SharedRegion();
        EXPECT_EQ(audit.totals()->pages_free, free_before);
    }),
        0);
}

// Goal: the same when the giver only closes its side.
TEST(SharedRegion, OutlivesItsGiver)
{
    EXPECT_EQ(test::in_program([](Env&) {
        auto mine = std::move(*SharedRegion::create(page_bytes));
        auto const theirs = std::move(*SharedRegion::map(std::move(*mine.handle_for_peer())));
        mine.span()[7] = std::byte { 9 };
        mine = SharedRegion();
        EXPECT_EQ(theirs.span()[7], std::byte { 9 });
    }),
        0);
}

// Goal: a region that is mapped is not mapped again, and stays until the last has let go; who may
// less is refused all the same, and other access is another mapping.
TEST(SharedRegion, IsMappedOnce)
{
    EXPECT_EQ(test::in_program([](Env&) {
        auto mine = std::move(*SharedRegion::create(page_bytes));
        auto first = std::move(*SharedRegion::map(std::move(*mine.handle_for_peer())));
        auto const second = std::move(*SharedRegion::map(std::move(*mine.handle_for_peer())));
        EXPECT_EQ(first.span().data(), second.span().data());
        auto const narrow = [&] { return std::move(*mine.handle_for_peer(RegionAccess::read)); };
        EXPECT_EQ(SharedRegion::map(narrow()).error(), Error::no_rights);
        auto const reader = std::move(*SharedRegion::map(narrow(), RegionAccess::read));
        EXPECT_NE(reader.span().data(), first.span().data());
        mine = SharedRegion();
        first = SharedRegion();
        second.span()[7] = std::byte { 9 };
        EXPECT_EQ(reader.span()[7], std::byte { 9 });
    }),
        0);
}

// Goal: another region is another mapping, also when the kernel gives it the number of one that is
// gone.
TEST(SharedRegion, IsNotMistakenForAnother)
{
    EXPECT_EQ(test::in_program([](Env&) {
        std::vector<u64> numbers;
        for (unsigned round = 0; round < 4; ++round) {
            auto const mine = std::move(*SharedRegion::create(page_bytes));
            auto const theirs = std::move(*SharedRegion::map(std::move(*mine.handle_for_peer())));
            numbers.push_back(mine.handle().inspect()->object);
            EXPECT_EQ(theirs.span()[0], std::byte { 0 });
            mine.span()[0] = std::byte { 1 };
            EXPECT_EQ(theirs.span()[0], std::byte { 1 });
        }
        std::ranges::sort(numbers);
        EXPECT_NE(std::ranges::adjacent_find(numbers), numbers.end()); // or nothing was shown
    }),
        0);
}

// Goal: more regions than are remembered are mapped too, each by itself.
TEST(SharedRegion, ManyAreMapped)
{
    EXPECT_EQ(test::in_program([](Env&) {
        std::vector<SharedRegion> mine;
        std::vector<SharedRegion> theirs;
        for (unsigned i = 0; i < 100; ++i) {
            mine.push_back(std::move(*SharedRegion::create(page_bytes)));
            for (unsigned twice = 0; twice < 2; ++twice)
                theirs.push_back(
                    std::move(*SharedRegion::map(std::move(*mine.back().handle_for_peer()))));
        }
        for (unsigned i = 0; i < 100; ++i)
            mine[i].span()[0] = static_cast<std::byte>(i);
        for (unsigned i = 0; i < 200; i += 2)
            theirs[i] = SharedRegion();
        for (unsigned i = 1; i < 200; i += 2)
            EXPECT_EQ(theirs[i].span()[0], static_cast<std::byte>(i / 2));
    }),
        0);
}

// Goal: spans name the pieces of a session's memory end to end, and nothing beside them.
// Method: a full piece and a short one; look on both sides of every border.
TEST(SessionMemory, HoldsItsPiecesEndToEnd)
{
    EXPECT_EQ(test::in_program([](Env&) {
        constexpr auto piece = static_cast<u32>(region_bytes_max);
        auto const first = std::move(*SharedRegion::create(region_bytes_max));
        auto const second = std::move(*SharedRegion::create(page_bytes));
        auto const memory = std::move(*SessionMemory::map(std::move(*first.handle_for_peer())));
        EXPECT_EQ(memory.at({ piece, 1 }).error(), Error::invalid);
        EXPECT_EQ(*memory.extend(std::move(*second.handle_for_peer())), piece);
        first.span()[piece - 1] = std::byte { 3 };
        second.span()[0] = std::byte { 4 };
        EXPECT_EQ((*memory.at({ piece - 1, 1 }))[0], std::byte { 3 });
        EXPECT_EQ((*memory.at({ piece, 1 }))[0], std::byte { 4 });
        EXPECT_EQ(memory.at({ piece - 1, 2 }).error(), Error::invalid);
        EXPECT_EQ(memory.at({ piece, static_cast<u32>(page_bytes) + 1 }).error(), Error::invalid);
        EXPECT_EQ(memory.at({ 2 * piece, 1 }).error(), Error::invalid);
        // Behind a short piece there is no place.
        EXPECT_EQ(memory.extend(std::move(*second.handle_for_peer())).error(), Error::invalid);
        EXPECT_EQ(SessionMemory {}.at({ 0, 1 }).error(), Error::invalid);
        EXPECT_TRUE(SessionMemory {}.at({ 0, 0 }));
    }),
        0);
}

} // namespace gemel
