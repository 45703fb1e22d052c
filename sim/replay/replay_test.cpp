#include "sim/replay/journal.hpp"
#include "sim/replay/shrink.hpp"

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
    usize dropped = 1;
    JournalError error;
    ASSERT_TRUE(decode(encode(before), after, dropped, error)) << error.what;
    EXPECT_EQ(dropped, 0u);
    EXPECT_EQ(after.decisions, before.decisions);
    EXPECT_EQ(after.workload, before.workload);
    EXPECT_EQ(after.check, before.check);
    EXPECT_EQ(after.seed, before.seed);
    EXPECT_EQ(after.cpus, before.cpus);
    EXPECT_EQ(after.strategy, before.strategy);
    EXPECT_TRUE(after.complete);
}

// Goal: a file that ends anywhere, or is damaged anywhere, gives its good beginning or is refused.
TEST(Journal, IsGoodUpToItsDamage)
{
    auto const before = sample(20);
    auto const whole = encode(before);
    for (usize length = 0; length <= whole.size(); ++length)
        for (auto const damaged : { false, true }) {
            auto bytes = whole;
            if (damaged && length < whole.size())
                bytes[length] ^= 0x41;
            else
                bytes.resize(length);
            Journal after;
            usize dropped = 0;
            JournalError error;
            if (!decode(bytes, after, dropped, error)) {
                EXPECT_LT(length, 136u);
                EXPECT_FALSE(error.what.empty());
                continue;
            }
            ASSERT_LE(after.decisions.size(), before.decisions.size());
            // The very last may have lost the upper half of its entity.
            for (usize i = 0; i + 1 < after.decisions.size(); ++i)
                EXPECT_EQ(after.decisions[i], before.decisions[i]);
        }
}

TEST(Journal, StaysSmall)
{
    auto const bytes = encode(sample(5000));
    EXPECT_LE(bytes.size(), Journal::bytes_max);
    Journal after;
    usize dropped = 0;
    JournalError error;
    ASSERT_TRUE(decode(bytes, after, dropped, error));
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
