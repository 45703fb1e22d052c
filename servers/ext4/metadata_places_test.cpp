#include "servers/ext4/metadata_places.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4 {
namespace {

std::vector<std::pair<u64, u64>> between(MetadataPlaces const& places, u64 first, u64 end)
{
    std::vector<std::pair<u64, u64>> found;
    places.each(
        first, end, [&](MetadataPlaces::Run run) { found.emplace_back(run.first, run.count); });
    return found;
}

} // namespace

// Goal: whatever the order, and however the runs overlap, each part of the volume gives what lies
// in it, once.
TEST(MetadataPlaces, AreGivenByPart)
{
    MetadataPlaces places;
    for (auto const run : { MetadataPlaces::Run { 100, 10 }, { 5, 1 }, { 104, 2 }, { 6, 2 },
             { 200, 50 }, { 110, 5 } })
        places.add(run);
    EXPECT_FALSE(places.known());
    places.complete();
    EXPECT_TRUE(places.known());
    using Found = std::vector<std::pair<u64, u64>>;
    EXPECT_EQ(between(places, 0, 1000), (Found { { 5, 3 }, { 100, 15 }, { 200, 50 } }));
    EXPECT_EQ(between(places, 6, 108), (Found { { 6, 2 }, { 100, 8 } }));
    EXPECT_EQ(between(places, 114, 201), (Found { { 114, 1 }, { 200, 1 } }));
    EXPECT_EQ(between(places, 115, 200), Found {});
    EXPECT_EQ(between(places, 250, 1000), Found {});
}

} // namespace gemel::ext4
