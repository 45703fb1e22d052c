#include "sim/replay/journal.hpp"
#include "sim/replay/shrink.hpp"
#include "tests/support/resealed.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace gemel::sim {
namespace {

Journal sample(u32 count)
{
    Journal journal;
    journal.seed = 0x5EED;
    journal.workload = "posix-mix";
    journal.strategy = StrategyKind::pct;
    journal.check = "audit";
    journal.task = "ext4";
    journal.what = "row 7 is nobody's";
    journal.what_hash = failure_hash(journal.what);
    journal.until_ns = 77;
    journal.cpus = 4;
    for (u32 i = 0; i < count; ++i)
        journal.decisions.push_back({ { Kind::schedule, i, i * 3 }, i + 1 });
    if (count != 0)
        journal.decisions.push_back({ { Kind::site, 0xDEAD'BEEF, 4 }, 1 });
    return journal;
}

TEST(Journal, ComesBackAsItWas)
{
    auto const before = sample(20);
    Journal after;
    JournalError error;
    ASSERT_TRUE(decode(encode(before), after, error)) << error.what;
    EXPECT_EQ(after.decisions, before.decisions);
    EXPECT_EQ(after.workload, before.workload);
    EXPECT_EQ(after.check, before.check);
    EXPECT_EQ(after.task, before.task);
    EXPECT_EQ(after.what, before.what);
    EXPECT_EQ(after.what_hash, before.what_hash);
    EXPECT_EQ(after.seed, before.seed);
    EXPECT_EQ(after.cpus, before.cpus);
    EXPECT_EQ(after.strategy, before.strategy);
    EXPECT_TRUE(after.complete);
}

// Goal: a file that ends anywhere, between two records too, or is damaged anywhere, is refused.
TEST(Journal, IsWholeOrRefused)
{
    auto const whole = encode(sample(20));
    auto const refused = [](std::vector<u8> const& bytes) {
        Journal after;
        JournalError error;
        return !decode(bytes, after, error) && !error.what.empty();
    };
    for (usize length = 0; length < whole.size(); ++length) {
        auto bytes = whole;
        bytes[length] ^= 0x41;
        EXPECT_TRUE(refused(bytes)) << length;
        bytes.resize(length);
        EXPECT_TRUE(refused(bytes)) << length;
    }
    auto longer = whole;
    longer.insert(longer.end(), whole.end() - 12, whole.end());
    EXPECT_TRUE(refused(longer));
}

// Goal: journals of another version are refused by its name.
TEST(Journal, NamesAnotherVersion)
{
    auto bytes = encode(sample(3));
    bytes[7] = '1';
    Journal after;
    JournalError error;
    EXPECT_FALSE(decode(bytes, after, error));
    EXPECT_NE(error.what.find("GEMELJ01"), std::string::npos) << error.what;
}

// Goal: the upper half of an entity belongs to the record before it, or the journal is refused.
TEST(Journal, RefusesTheHalfOfAnotherDecision)
{
    constexpr usize header_bytes = 304, record_bytes = 12, ordinal_at = 4;
    Journal journal;
    journal.decisions = { { { Kind::site, 0xDEAD'BEEF, 4 }, 1 } };
    auto const good = encode(journal);
    auto const decodes = [](std::vector<u8> const& bytes) {
        Journal after;
        JournalError error;
        return decode(test::resealed(bytes), after, error);
    };
    EXPECT_TRUE(decodes(good));
    for (auto const at : { usize { 0 }, ordinal_at, record_bytes - 1 }) {
        auto bytes = good;
        bytes[header_bytes + record_bytes + at] ^= 2;
        EXPECT_FALSE(decodes(bytes)) << at;
    }
    auto twice = good;
    twice.insert(twice.end(), good.end() - record_bytes, good.end());
    EXPECT_FALSE(decodes(twice));
}

// Goal: what failed is compared without addresses, and otherwise exactly.
TEST(Journal, ComparesFailures)
{
    EXPECT_EQ(
        failure_hash("it faulted at address 0x7f12"), failure_hash("it faulted at address 0x8"));
    EXPECT_NE(failure_hash("block 50 is damaged"), failure_hash("block 51 is damaged"));
    EXPECT_NE(failure_hash("at 0x7 in ext4"), failure_hash("at 0x7 in vfs"));
}

TEST(Journal, StaysSmall)
{
    auto const bytes = encode(sample(5000));
    EXPECT_LE(bytes.size(), Journal::bytes_max);
    Journal after;
    JournalError error;
    ASSERT_TRUE(decode(bytes, after, error));
    EXPECT_FALSE(after.complete);
}

// Goal: of 400 decisions the three that matter are left, the value of one as small as it may be.
TEST(Shrink, LeavesWhatMatters)
{
    std::vector<Decision> all;
    for (u32 i = 0; i < 400; ++i)
        all.push_back({ { Kind::disk_delay, 0, i }, 1000 });
    auto const value_at = [](std::vector<Decision> const& list, u32 ordinal) {
        auto const found = std::find_if(list.begin(), list.end(),
            [&](Decision const& decision) { return decision.key.ordinal == ordinal; });
        return found == list.end() ? 0u : found->value;
    };
    auto const fails = [&](std::vector<Decision> const& list) {
        return value_at(list, 17) >= 60 && value_at(list, 230) != 0 && value_at(list, 399) != 0;
    };
    auto const shrunk = shrink(all, fails, 2000);
    ASSERT_EQ(shrunk.decisions.size(), 3u);
    EXPECT_EQ(shrunk.decisions[0].value, 62u);
    EXPECT_EQ(shrunk.decisions[1].value, 1u);
    EXPECT_LT(shrunk.runs, 300u);
}

TEST(Shrink, AsksAtMostAsOftenAsItMay)
{
    std::vector<Decision> const all(100, { { Kind::schedule, 1, 1 }, 1 });
    auto const shrunk = shrink(
        all, [](auto const& list) { return !list.empty(); }, 5);
    EXPECT_EQ(shrunk.runs, 5u);
}

} // namespace
} // namespace gemel::sim
