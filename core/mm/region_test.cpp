// Regions: mapping, sharing, and what their end means for those who map them.
#include "tests/support/in_system.hpp"

#include <gtest/gtest.h>

namespace gemel {

using namespace test;

namespace {

constexpr u64 read_write = static_cast<u64>(VmFlag::read) | static_cast<u64>(VmFlag::write);
constexpr u64 map_region = static_cast<u64>(VmFlag::region);

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
// maps it; the last one to unmap it gives the pages back.
TEST(Region, DestroyLeavesTheMemoryToWhoMapsIt)
{
    EXPECT_EQ(in_system([](Init const& init) {
        call(Call::vm_allocate, { 0, page_bytes, read_write }); // the tables exist from now on
        auto const before = free_pages(init);
        auto const mine = call(Call::vm_allocate, { 0, 3 * page_bytes, read_write });
        auto const peer = cap(mine.words[3], CapOperation::derive, Right::read | Right::write);
        auto const theirs = call(Call::vm_allocate, { 0, peer, read_write | map_region });
        EXPECT_EQ(theirs.number, status_ok);
        auto* word = reinterpret_cast<u64*>(theirs.words[2] + page_bytes);
        *reinterpret_cast<u64*>(mine.words[2] + page_bytes) = 7;
        EXPECT_EQ(call(Call::cap_move,
                      { mine.words[3], 0, static_cast<u64>(CapOperation::destroy) << 16 })
                      .number,
            status_ok);
        EXPECT_EQ(call(Call::vm_allocate, { 0, peer, read_write | map_region }).number,
            status_of(Error::dead));
        EXPECT_EQ(*word, 7u);
        EXPECT_EQ(call(Call::vm_deallocate, { mine.words[2], page_bytes }).number, status_ok);
        EXPECT_EQ(*word, 7u);
        EXPECT_EQ(call(Call::vm_deallocate, { theirs.words[2], page_bytes }).number, status_ok);
        EXPECT_EQ(free_pages(init), before);
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
