// The heap against a source of regions that counts and can refuse.
#include "servers/rt/heap.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace gemel {
namespace {

class TestRegions final : public RegionSource {
public:
    usize limit_bytes = 1u << 30;
    std::map<u64, usize> regions;
    std::set<u64> reserved;

    usize bytes() const
    {
        usize sum = 0;
        for (auto const& [address, size] : regions)
            sum += size;
        return sum;
    }
    Result<Region> allocate(u64 address, usize size) override
    {
        EXPECT_LE(size, region_bytes_max);
        EXPECT_EQ(size % page_bytes, 0u);
        if (bytes() + size > limit_bytes)
            return Error::quota;
        if (!address)
            address = reinterpret_cast<u64>(std::aligned_alloc(page_bytes, size));
        std::memset(reinterpret_cast<void*>(address), 0, size);
        EXPECT_TRUE(regions.emplace(address, size).second);
        return Region { address, address };
    }
    void release(Region const& region, usize size) override
    {
        auto const at = regions.find(region.address);
        ASSERT_NE(at, regions.end());
        EXPECT_EQ(at->second, size);
        regions.erase(at);
        bool inside = false;
        for (auto const range : reserved)
            inside |= region.address - range < big_range;
        if (!inside)
            std::free(reinterpret_cast<void*>(region.address));
    }
    u64 reserve(usize size) override
    {
        EXPECT_LE(size, big_range);
        auto const address = reinterpret_cast<u64>(std::aligned_alloc(region_bytes_max, big_range));
        reserved.insert(address);
        return address;
    }
    void unreserve(u64 address, usize) override
    {
        EXPECT_EQ(reserved.erase(address), 1u);
        std::free(reinterpret_cast<void*>(address));
    }

private:
    static constexpr usize big_range = 32u << 20;
};

} // namespace

// Goal: blocks never overlap, keep their bytes, and the lists stay in order, whatever happens.
// Method: random allocations, alignments and frees, with a pattern in each block.
TEST(Heap, RandomUseKeepsEveryBlockWhole)
{
    TestRegions regions;
    Heap heap { regions };
    std::mt19937 random { 1 };
    struct Live {
        unsigned char* at;
        usize bytes;
        unsigned char mark;
    };
    std::vector<Live> live;
    for (unsigned step = 0; step < 20'000; ++step) {
        if (live.size() > 300 || (!live.empty() && random() % 2)) {
            auto const index = random() % live.size();
            auto const [at, bytes, mark] = live[index];
            for (usize i = 0; i < bytes; ++i)
                ASSERT_EQ(at[i], mark);
            heap.free(at);
            live[index] = live.back();
            live.pop_back();
        } else {
            auto const bytes = random() % (random() % 64 == 0 ? 700'000 : 3'000);
            auto const align = usize { 1 } << random() % 13;
            auto* const at = static_cast<unsigned char*>(heap.allocate(bytes, align));
            ASSERT_TRUE(at);
            ASSERT_EQ(reinterpret_cast<u64>(at) % align, 0u);
            ASSERT_GE(Heap::usable_bytes(at), bytes);
            auto const mark = static_cast<unsigned char>(random());
            std::memset(at, mark, bytes);
            live.push_back({ at, bytes, mark });
        }
        if (step % 500 == 0) {
            ASSERT_TRUE(heap.consistent());
        }
    }
    for (auto const& block : live)
        heap.free(block.at);
    EXPECT_TRUE(heap.consistent());
    EXPECT_EQ(heap.usage().blocks, 0u);
    EXPECT_EQ(heap.usage().used_bytes, 0u);
    EXPECT_LE(regions.bytes(), 640u * 1024);
}

// Goal: a small program takes little: one region of 64 KiB.
TEST(Heap, StartsSmall)
{
    TestRegions regions;
    Heap heap { regions };
    auto* const block = heap.allocate(100);
    EXPECT_EQ(regions.bytes(), 64u * 1024);
    heap.free(block);
}

// Goal: blocks that come and go in one size take no more memory for it. Method: every second of a
// thousand is freed, so that no neighbours merge, and asked for again.
TEST(Heap, BlocksOfOneSizeAreUsedAgain)
{
    TestRegions regions;
    Heap heap(regions);
    std::vector<void*> blocks(1000);
    for (auto& block : blocks)
        block = heap.allocate(4096);
    auto const bytes = regions.bytes();
    for (int round = 0; round < 3; ++round) {
        for (usize each = 0; each < blocks.size(); each += 2)
            heap.free(blocks[each]);
        for (usize each = 0; each < blocks.size(); each += 2)
            blocks[each] = heap.allocate(4096);
        EXPECT_EQ(regions.bytes(), bytes) << "round " << round;
    }
    EXPECT_TRUE(heap.consistent());
    for (auto* const block : blocks)
        heap.free(block);
}

// Goal: large blocks go back to the kernel at once.
TEST(Heap, BigBlocksHaveRegionsOfTheirOwn)
{
    TestRegions regions;
    Heap heap { regions };
    for (usize const bytes : { usize { 512 } << 10, usize { 2 } << 20, usize { 5 } << 20 }) {
        auto* const block = static_cast<unsigned char*>(heap.allocate(bytes));
        ASSERT_TRUE(block);
        block[0] = block[bytes - 1] = 1;
        EXPECT_GE(regions.bytes(), bytes);
        heap.free(block);
        EXPECT_EQ(regions.bytes(), 0u);
        EXPECT_TRUE(regions.reserved.empty());
    }
}

// Goal: at the end of memory allocate answers null, and everything taken for the attempt goes back.
TEST(Heap, RefusesAtTheEndOfMemory)
{
    TestRegions regions;
    regions.limit_bytes = 3u << 20;
    Heap heap { regions };
    EXPECT_FALSE(heap.allocate(5u << 20));
    EXPECT_EQ(regions.bytes(), 0u);
    EXPECT_TRUE(regions.reserved.empty());
    EXPECT_FALSE(heap.allocate(~usize { 0 } - 64));
    EXPECT_FALSE(heap.allocate(1u << 30));
    std::vector<void*> blocks;
    while (auto* const block = heap.allocate(10'000))
        blocks.push_back(block);
    EXPECT_GT(blocks.size(), 250u);
    for (auto* const block : blocks)
        heap.free(block);
    EXPECT_TRUE(heap.consistent());
    EXPECT_TRUE(heap.allocate(10'000));
}

} // namespace gemel
