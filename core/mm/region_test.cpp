// Regions: mapping, sharing, and what their end means for those who map them.
#include "tests/support/in_system.hpp"

#include <gtest/gtest.h>

namespace gemel {

using namespace test;

namespace {

constexpr u64 read_write = static_cast<u64>(VmFlag::read) | static_cast<u64>(VmFlag::write);
constexpr u64 map_region = static_cast<u64>(VmFlag::region);
constexpr u64 lasting = static_cast<u64>(VmFlag::lasting);

u64 cap(u64 handle, CapOperation operation, Rights rights = 0)
{
    auto const answer
        = call(Call::cap_move, { handle, 0, rights | static_cast<u64>(operation) << 16 });
    return answer.number == status_ok ? answer.words[2] : 0;
}

u64 free_pages(Init const& init)
{
    return operate(init.capability("broker-audit"), Operation::audit_totals, {}).words[3];
}

} // namespace

// Goal: destroying a region kills its capabilities at once, but takes the memory from nobody who
// holds a lasting mapping; the last one to unmap it gives the pages back.
TEST(Region, DestroyLeavesTheMemoryToWhoMapsIt)
{
    EXPECT_EQ(in_system([](Init const& init) {
        call(Call::vm_allocate, { 0, page_bytes, read_write }); // the tables exist from now on
        auto const before = free_pages(init);
        auto const mine = call(Call::vm_allocate, { 0, 3 * page_bytes, read_write });
        auto const peer
            = cap(mine.words[3], CapOperation::derive, Right::read | Right::write | Right::grant);
        auto const theirs = call(Call::vm_allocate, { 0, peer, read_write | map_region | lasting });
        EXPECT_EQ(theirs.number, status_ok);
        auto* word = reinterpret_cast<u64*>(theirs.words[2] + page_bytes);
        *reinterpret_cast<u64*>(mine.words[2] + page_bytes) = 7;
        EXPECT_EQ(call(Call::cap_move,
                      { mine.words[3], 0, static_cast<u64>(CapOperation::destroy) << 16 })
                      .number,
            status_ok);
        EXPECT_EQ(call(Call::vm_allocate, { 0, peer, read_write | map_region | lasting }).number,
            status_of(Error::dead));
        EXPECT_EQ(*word, 7u);
        EXPECT_EQ(call(Call::vm_deallocate, { mine.words[2], page_bytes }).number, status_ok);
        EXPECT_EQ(*word, 7u);
        EXPECT_EQ(call(Call::vm_deallocate, { theirs.words[2], page_bytes }).number, status_ok);
        EXPECT_EQ(free_pages(init), before);
    }),
        0);
}

namespace {

// A second task of the same process, with a thread that touches memory and a port for its faults.
struct Peer {
    Init const& init;
    u64 task = 0;
    u64 begin = 0;
    u64 port = 0;

    explicit Peer(Init const& with)
        : init(with)
    {
        auto const made
            = operate(init.capability("broker-task"), Operation::task_new, { 64, 32, 2, 'p' });
        EXPECT_EQ(made.number, status_ok);
        task = made.words[2];
        begin = align_up<u64>(made.words[4], region_bytes_max) + (u64 { 1 } << 30);
        port = init.port();
    }

    u64 map(u64 region, u64 window, u64 flags) const
    {
        return operate(init.capability("broker-mm"), Operation::map,
            { task, region, begin + window * region_bytes_max, flags })
            .number;
    }
    u64 window(u64 number) const { return begin + number * region_bytes_max; }

    // A thread of the peer that adds one to *address for ever; its stack is window 0.
    void start(u64 address) const
    {
        auto const stack = call(Call::vm_allocate, { 0, 16 * page_bytes, read_write });
        EXPECT_EQ(map(stack.words[3], 0, read_write), status_ok);
        auto const thread = operate(init.capability("broker-task"), Operation::thread_new,
            { task, reinterpret_cast<u64>(&add_for_ever), begin + 16 * page_bytes, address, 5,
                port });
        EXPECT_EQ(thread.number, status_ok);
        operate(init.capability("broker-task"), Operation::thread_run, { thread.words[2] });
    }
    static void add_for_ever(u64 address)
    {
        for (;;) {
            auto* const word = reinterpret_cast<u64 volatile*>(address);
            *word = *word + 1;
            call(Call::sched_yield, {});
        }
    }
    // The address of the fault that the thread waits in; 0: none in time.
    u64 fault() const
    {
        auto const deadline = call(Call::time, {}).words[2] / 1000 + 2'000'000;
        auto const message = call(Call::port_receive, {}, port, 0, deadline);
        auto const is_fault = (message.words[1] & 0xFFFF) == static_cast<u64>(KernelTag::fault);
        return message.number == status_ok && is_fault ? message.words[3] : 0;
    }
    u64 polled_fault() const
    {
        return call(Call::port_receive, {}, port, static_cast<u64>(ReceiveFlag::poll)).number;
    }
};

void turns(unsigned count)
{
    for (unsigned i = 0; i < count; ++i)
        call(Call::sched_yield, {});
}

} // namespace

// Goal: revoking cuts what was mapped through derived capabilities, and nothing else.
// Method: a peer writes through a derived capability; revoke it and destroy it in turn.
TEST(Region, RevokingCutsMappings)
{
    for (auto const operation :
        { CapOperation::revoke, CapOperation::close, CapOperation::destroy }) {
        EXPECT_EQ(in_system([operation](Init const& init) {
            Peer const peer { init };
            auto const mine = call(Call::vm_allocate, { 0, 2 * page_bytes, read_write });
            auto const theirs
                = cap(mine.words[3], CapOperation::derive, Right::read | Right::write);
            auto* const word = reinterpret_cast<u64 volatile*>(mine.words[2] + page_bytes);
            EXPECT_EQ(peer.map(theirs, 1, read_write), status_ok);
            peer.start(peer.window(1) + page_bytes);
            turns(10);
            EXPECT_GT(*word, 3u);
            call(Call::cap_move, { mine.words[3], 0, static_cast<u64>(operation) << 16 });
            auto const last = *word;
            EXPECT_EQ(peer.fault(), peer.window(1) + page_bytes);
            *word = last + 5; // the giver's own mapping stays
            EXPECT_EQ(*word, last + 5);
        }),
            0);
    }
}

// Goal: a mapping whose capability lives is not hurt by the revocation of another.
TEST(Region, RevokingSparesSiblings)
{
    EXPECT_EQ(in_system([](Init const& init) {
        Peer const peer { init };
        auto const mine = call(Call::vm_allocate, { 0, page_bytes, read_write });
        auto const first = cap(mine.words[3], CapOperation::derive,
            Right::read | Right::write | rights_of(Right::derive));
        auto const below = cap(first, CapOperation::derive, Right::read | Right::write);
        auto const second = cap(mine.words[3], CapOperation::derive, Right::read | Right::write);
        EXPECT_EQ(peer.map(below, 1, read_write), status_ok);
        EXPECT_EQ(peer.map(second, 2, read_write), status_ok);
        auto const own = call(Call::vm_allocate, { 0, first, read_write | map_region });
        peer.start(peer.window(2));
        turns(4);
        cap(first, CapOperation::revoke);
        auto* const word = reinterpret_cast<u64 volatile*>(mine.words[2]);
        auto const before = *word;
        turns(10);
        EXPECT_GT(*word, before + 3);
        EXPECT_EQ(peer.polled_fault(), status_of(Error::timed_out));
        EXPECT_EQ(*reinterpret_cast<u64 volatile*>(own.words[2]), *word);
        cap(mine.words[3], CapOperation::revoke);
        EXPECT_EQ(peer.fault(), peer.window(2));
    }),
        0);
}

// Goal: who was given the right to keep a mapping keeps it; who was not cannot ask for it.
TEST(Region, ALastingMappingIsNotCut)
{
    EXPECT_EQ(in_system([](Init const& init) {
        Peer const peer { init };
        auto const mine = call(Call::vm_allocate, { 0, page_bytes, read_write });
        auto const lent = cap(mine.words[3], CapOperation::derive, Right::read | Right::write);
        EXPECT_EQ(peer.map(lent, 1, read_write | lasting), status_of(Error::no_rights));
        auto const granted
            = cap(mine.words[3], CapOperation::derive, Right::read | Right::write | Right::grant);
        EXPECT_EQ(peer.map(granted, 1, read_write | lasting), status_ok);
        peer.start(peer.window(1));
        turns(4);
        auto const before = *reinterpret_cast<u64 volatile*>(mine.words[2]);
        cap(mine.words[3], CapOperation::destroy);
        turns(10);
        EXPECT_GT(*reinterpret_cast<u64 volatile*>(mine.words[2]), before + 3);
        EXPECT_EQ(peer.polled_fault(), status_of(Error::timed_out));
    }),
        0);
}

// Goal: cutting and mapping again keeps no page, whoever lets go last.
TEST(Region, CutMappingsGiveEverythingBack)
{
    EXPECT_EQ(in_system([](Init const& init) {
        auto const other = call(Call::vm_allocate, { 0, page_bytes, read_write });
        auto const warm = cap(other.words[3], CapOperation::derive, Right::read | Right::write);
        call(Call::vm_deallocate,
            { call(Call::vm_allocate, { 0, warm, read_write | map_region }).words[2], page_bytes });
        auto const before = free_pages(init);
        for (unsigned round = 0; round < 20; ++round) {
            auto const mine = call(Call::vm_allocate, { 0, 3 * page_bytes, read_write });
            auto const lent = cap(mine.words[3], CapOperation::derive, Right::read | Right::write);
            auto const theirs = call(Call::vm_allocate, { 0, lent, read_write | map_region });
            EXPECT_EQ(theirs.number, status_ok);
            *reinterpret_cast<u64 volatile*>(theirs.words[2]) = 1;
            if (round % 2 != 0)
                cap(mine.words[3], round % 4 == 1 ? CapOperation::revoke : CapOperation::destroy);
            auto const first = round % 3 == 0 ? mine.words[2] : theirs.words[2];
            auto const second = round % 3 == 0 ? theirs.words[2] : mine.words[2];
            EXPECT_EQ(call(Call::vm_deallocate, { first, page_bytes }).number, status_ok);
            EXPECT_EQ(call(Call::vm_deallocate, { second, page_bytes }).number, status_ok);
            cap(lent, CapOperation::close);
            cap(mine.words[3], CapOperation::close);
            EXPECT_EQ(free_pages(init), before);
        }
    }),
        0);
}

// Goal: a mapping never has more access than the capability, and never write with execute.
TEST(Region, AccessIsBoundByRights)
{
    EXPECT_EQ(in_system([](Init const&) {
        auto const mine = call(Call::vm_allocate, { 0, page_bytes, read_write });
        auto const reader = cap(mine.words[3], CapOperation::derive, rights_of(Right::read));
        EXPECT_EQ(call(Call::vm_allocate, { 0, reader, read_write | map_region }).number,
            status_of(Error::no_rights));
        EXPECT_EQ(call(Call::vm_allocate, { 0, reader, 1 | map_region }).number, status_ok);
        EXPECT_EQ(call(Call::vm_allocate, { 0, page_bytes, 7 }).number, status_of(Error::invalid));
        EXPECT_EQ(call(Call::vm_allocate, { 0, 0, read_write }).number, status_of(Error::invalid));
        EXPECT_EQ(call(Call::vm_allocate, { 0, region_bytes_max + 1, read_write }).number,
            status_of(Error::too_big));
        EXPECT_EQ(call(Call::vm_allocate, { mine.words[2], page_bytes, read_write }).number,
            status_of(Error::exists));
        EXPECT_EQ(call(Call::vm_allocate, { 4096, page_bytes, read_write }).number,
            status_of(Error::align));
    }),
        0);
}

// Goal: a refused allocation keeps no page, whatever the reason.
TEST(Region, ARefusedAllocationKeepsNothing)
{
    EXPECT_EQ(in_system([](Init const& init) {
        call(Call::vm_allocate, { 0, page_bytes, read_write });
        u64 regions = 0;
        u64 status = status_ok;
        while ((status = call(Call::vm_allocate, { 0, region_bytes_max, read_write }).number)
            == status_ok)
            ++regions;
        EXPECT_GT(regions, 4u);
        EXPECT_TRUE(status == status_of(Error::quota) || status == status_of(Error::no_memory));
        auto const before = free_pages(init);
        EXPECT_NE(call(Call::vm_allocate, { 0, region_bytes_max, read_write }).number, status_ok);
        EXPECT_EQ(free_pages(init), before);
    }),
        0);
}

} // namespace gemel
