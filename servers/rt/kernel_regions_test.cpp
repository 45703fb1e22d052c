// Where memory lies, with chances that are known.
#include "servers/rt/kernel_regions.hpp"
#include "servers/rt/test/in_program.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace gemel {
namespace {

KernelRegions regions_of(Env const& env, u64 chance)
{
    return { align_up(env.startup().address_begin, u64 { region_bytes_max }),
        align_down(env.startup().address_end, u64 { region_bytes_max }), chance };
}

u64 first_place(Env const& env, u64 chance)
{
    auto regions = regions_of(env, chance);
    auto const region = *regions.allocate(0, page_bytes);
    regions.release(region, page_bytes);
    return region.address;
}

} // namespace

// Goal: chance alone decides where a region lies: two chances give two places, one gives one.
TEST(KernelRegions, LieWhereChanceSays)
{
    EXPECT_EQ(test::in_program([](Env& env) {
        EXPECT_EQ(first_place(env, 1), first_place(env, 1));
        std::vector<u64> places;
        for (u64 chance = 0; chance < 64; ++chance)
            places.push_back(first_place(env, chance << 32));
        std::ranges::sort(places);
        auto const same = std::ranges::unique(places);
        EXPECT_LE(same.size(), 2u); // of 64 among thousands
    }),
        0);
}

// Goal: a place that is taken is passed over.
// Method: the same chance twice, and the first region stays.
TEST(KernelRegions, PassOverWhatIsTaken)
{
    EXPECT_EQ(test::in_program([](Env& env) {
        auto first = regions_of(env, 7);
        auto second = regions_of(env, 7);
        auto const there = *first.allocate(0, page_bytes);
        auto const beside = *second.allocate(0, page_bytes);
        EXPECT_NE(there.address, beside.address);
        first.release(there, page_bytes);
        second.release(beside, page_bytes);
    }),
        0);
}

// Goal: many regions have as many places, and places that were given up are used again: tables of
// the machine's do not pile up. Method: more than one table's worth, several times over; count the
// machine's pages.
TEST(KernelRegions, UsePlacesAgain)
{
    EXPECT_EQ(test::in_program([](Env& env) {
        constexpr usize count = 700;
        constexpr u64 tables_most = 8;
        AuditBroker const audit { std::move(*env.take_handle("broker-audit")) };
        auto regions = regions_of(env, 3);
        std::vector<RegionSource::Region> taken(count);
        std::vector<u64> places(count);
        auto const before = audit.totals()->pages_free;
        for (unsigned round = 0; round < 4; ++round) {
            for (auto& region : taken)
                region = *regions.allocate(0, page_bytes);
            std::ranges::transform(taken, places.begin(), &RegionSource::Region::address);
            std::ranges::sort(places);
            EXPECT_EQ(std::ranges::adjacent_find(places), places.end());
            for (auto const& region : taken)
                regions.release(region, page_bytes);
        }
        EXPECT_LE(before - audit.totals()->pages_free, tables_most);
    }),
        0);
}

// Goal: ranges and single regions have each their own addresses, also when there are few.
// Method: a window of eight places; take them all.
TEST(KernelRegions, ShareASmallWindow)
{
    EXPECT_EQ(test::in_program([](Env& env) {
        auto const begin = env.startup().address_begin + (u64 { 1000 } << 21);
        KernelRegions regions(begin, begin + 8 * region_bytes_max, 5);
        std::vector<u64> ranges;
        while (auto const range = regions.reserve(2 * region_bytes_max))
            ranges.push_back(range);
        EXPECT_EQ(
            ranges, (std::vector { begin + 6 * region_bytes_max, begin + 4 * region_bytes_max }));
        std::vector<RegionSource::Region> taken;
        while (auto const region = regions.allocate(0, page_bytes)) {
            EXPECT_GE(region->address, begin);
            EXPECT_LT(region->address, begin + 4 * region_bytes_max);
            taken.push_back(*region);
        }
        EXPECT_EQ(taken.size(), 4u);
        for (auto const& region : taken)
            regions.release(region, page_bytes);
        regions.unreserve(ranges[0], 2 * region_bytes_max);
        EXPECT_EQ(regions.reserve(2 * region_bytes_max), ranges[0]);
    }),
        0);
}

} // namespace gemel
