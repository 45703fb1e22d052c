// Each claim in disk.hpp's header.
#include "sim/faults/disk.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace gemel::sim {
namespace {

constexpr u32 sector = SimDisk::sector_bytes;
constexpr u32 sectors = 16;

struct Bench {
    explicit Bench(u64 seed)
        : oracle(seed, Rates {})
    {
    }
    std::vector<u8> image = std::vector<u8>(sectors * sector, 'o');
    Oracle oracle;
    SimDisk disk { image, oracle, 0, [](u64, std::function<void()> done) { done(); } };

    void write(u32 first, u32 count, u8 value)
    {
        std::vector<u8> const bytes(count * sector, value);
        ASSERT_EQ(disk.write(u64 { first } * sector, bytes.data(), count * sector),
            hosted::FileOutcome::done);
    }
    std::string sectors_of() const
    {
        std::string text;
        for (u32 i = 0; i < sectors; ++i) {
            for (u32 k = 1; k < sector; ++k)
                EXPECT_EQ(image[i * sector + k], image[i * sector]); // torn at sectors, not within
            text += static_cast<char>(image[i * sector]);
        }
        return text;
    }
};

TEST(SimDisk, AFlushedSectorIsNeverLost)
{
    for (u64 seed = 0; seed < 100; ++seed) {
        Bench bench { seed };
        bench.write(0, 4, 'a');
        ASSERT_EQ(bench.disk.flush(), hosted::FileOutcome::done);
        bench.write(8, 4, 'b');
        bench.disk.lose_power();
        EXPECT_EQ(bench.sectors_of().substr(0, 4), "aaaa");
        EXPECT_EQ(bench.disk.unflushed(), 0u);
    }
}

// Goal: a request that takes its time is overtaken by those that were asked for later, and each
// gives what its place held then. Method: the first of two reads is the slow one.
TEST(SimDisk, RequestsAreOvertaken)
{
    Decision const slow { { Kind::disk_delay, 0, 0 }, 30'000 };
    std::vector<u8> image(sectors * sector, 'o');
    Oracle oracle { 1, std::span { &slow, 1 } };
    std::multimap<u64, std::function<void()>> due;
    SimDisk disk { image, oracle, 0,
        [&](u64 delay_ns, std::function<void()> done) { due.emplace(delay_ns, std::move(done)); } };
    std::string order;
    u8 bytes[2][sector];
    for (u32 i = 0; i < 2; ++i) {
        disk.later(disk.delay_ns(), [&, i] {
            EXPECT_EQ(disk.read(i * sector, bytes[i], sector), hosted::FileOutcome::done);
            order += static_cast<char>('0' + i);
        });
        if (i == 0)
            EXPECT_EQ(disk.write(8 * sector, image.data(), sector), hosted::FileOutcome::done);
    }
    for (auto const& [at, done] : due)
        done();
    EXPECT_EQ(order, "10");
}

// Goal: a discarded sector may hold what it held, zeros or rubbish; others stay; and a flushed
// discard is not taken back.
TEST(SimDisk, ADiscardedSectorMayHoldAnything)
{
    std::set<char> seen;
    for (u64 seed = 0; seed < 100; ++seed) {
        Bench bench { seed };
        ASSERT_EQ(bench.disk.discard(4 * sector, 8 * sector), hosted::FileOutcome::done);
        auto const now = bench.sectors_of();
        EXPECT_EQ(now.substr(0, 4), "oooo");
        EXPECT_EQ(now.substr(12), "oooo");
        seen.insert(now.begin() + 4, now.begin() + 12);
        ASSERT_EQ(bench.disk.flush(), hosted::FileOutcome::done);
        bench.disk.lose_power();
        EXPECT_EQ(bench.sectors_of(), now);
        EXPECT_EQ(bench.disk.discard(15 * sector, 2 * sector), hosted::FileOutcome::failed);
    }
    EXPECT_EQ(seen, (std::set<char> { 'o', '\0', '\xD5' }));
}

// Goal: every subset of the unflushed sectors is a state that some seed gives.
TEST(SimDisk, AnySubsetOfUnflushedSectorsSurvives)
{
    std::set<std::string> seen;
    for (u64 seed = 0; seed < 200; ++seed) {
        Bench bench { seed };
        bench.write(2, 3, 'n');
        bench.disk.lose_power();
        seen.insert(bench.sectors_of().substr(2, 3));
    }
    EXPECT_EQ(seen.size(), 8u);
}

// Goal: of two writes to one sector the later may be lost and the earlier kept, and the reverse.
TEST(SimDisk, WritesAreReordered)
{
    std::set<char> seen;
    for (u64 seed = 0; seed < 100; ++seed) {
        Bench bench { seed };
        bench.write(5, 1, 'x');
        bench.write(5, 1, 'y');
        bench.disk.lose_power();
        seen.insert(bench.sectors_of()[5]);
    }
    EXPECT_EQ(seen, (std::set<char> { 'o', 'x', 'y' }));
}

TEST(SimDisk, AFailedRequestHasNotHappened)
{
    Rates rates;
    rates.of[static_cast<u32>(Kind::disk_error)] = ~0u;
    std::vector<u8> image(sectors * sector, 'o');
    Oracle oracle { 1, rates };
    oracle.faults(true);
    SimDisk disk { image, oracle, 0, [](u64, std::function<void()>) {} };
    std::vector<u8> const bytes(sector, 'z');
    EXPECT_EQ(disk.write(0, bytes.data(), sector), hosted::FileOutcome::failed);
    EXPECT_EQ(image[0], 'o');
    EXPECT_EQ(disk.unflushed(), 0u);
}

// Goal: looking at what a power cut could leave changes nothing, and shows every subset.
TEST(SimDisk, LossesAreLookedAtAndTakenBack)
{
    Bench bench { 3 };
    bench.write(2, 3, 'n');
    bench.write(3, 1, 'm');
    auto const before = bench.sectors_of();
    std::set<std::string> seen;
    bench.disk.each_loss(200, [&](u32) {
        seen.insert(bench.sectors_of().substr(2, 3));
        return true;
    });
    EXPECT_EQ(seen.size(), 12u); // the middle one may be old, n or m
    EXPECT_EQ(bench.sectors_of(), before);
    u32 asked = 0;
    bench.disk.each_loss(10, [&](u32 number) { return ++asked, number != 4; });
    EXPECT_EQ(asked, 5u);
}

// Goal: what a branched run drew and no decision says comes out again when its decisions are played
// back with its first seed: that is all that a journal keeps. Method: a branch that keeps its
// entropy, as a corpus makes it; what losses are looked at, and what a discard leaves.
TEST(SimDisk, LossesAreThoseOfTheJournal)
{
    auto const seen = [](std::optional<u64> branch) {
        Bench bench { 3 };
        if (branch)
            bench.oracle.branch(*branch, Rates {}, Entropy::kept);
        bench.write(2, 3, 'n');
        std::string all;
        bench.disk.each_loss(8, [&](u32) { return all += bench.sectors_of(), true; });
        (void)bench.disk.discard(0, 16 * sector);
        return all + bench.sectors_of();
    };
    EXPECT_EQ(seen(8), seen(std::nullopt));
    EXPECT_EQ(seen(9), seen(std::nullopt));
}

// Goal: the power fails after a write that may still be lost whole, and only where it may.
TEST(SimDisk, PowerFailsAfterAWrite)
{
    Rates rates;
    rates.of[static_cast<u32>(Kind::power_cut)] = ~0u;
    std::vector<u8> image(sectors * sector, 'o');
    Oracle oracle { 1, rates };
    SimDisk disk { image, oracle, 0, [](u64, std::function<void()>) {} };
    u32 cuts = 0;
    disk.on_power_cut([&] { ++cuts; });
    std::vector<u8> const bytes(sector, 'z');
    (void)disk.write(0, bytes.data(), sector);
    EXPECT_EQ(cuts, 0u);
    disk.power(SimDisk::Power::may_fail);
    (void)disk.write(0, bytes.data(), sector);
    EXPECT_EQ(cuts, 1u);
    EXPECT_EQ(disk.unflushed(), 2u);
    disk.power(SimDisk::Power::may_fail_again); // another family
    (void)disk.write(0, bytes.data(), sector);
    EXPECT_EQ(cuts, 1u);
}

TEST(SimDisk, ALieIsAFlushThatWasNotDone)
{
    Rates rates;
    rates.of[static_cast<u32>(Kind::disk_lie)] = ~0u;
    std::vector<u8> image(sectors * sector, 'o');
    Oracle oracle { 1, rates };
    SimDisk disk { image, oracle, 0, [](u64, std::function<void()>) {} };
    std::vector<u8> const bytes(sector, 'z');
    (void)disk.write(0, bytes.data(), sector);
    oracle.faults(true);
    EXPECT_EQ(disk.flush(), hosted::FileOutcome::done);
    EXPECT_EQ(disk.unflushed(), 1u);
    oracle.faults(false);
    EXPECT_EQ(disk.flush(), hosted::FileOutcome::done);
    EXPECT_EQ(disk.unflushed(), 0u);
}

} // namespace
} // namespace gemel::sim
