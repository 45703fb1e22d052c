#include "sim/explore/corpus.hpp"

#include <gtest/gtest.h>

namespace gemel::sim {
namespace {

constexpr u32 covered_event = 2500;

CorpusRun run_of(u64 number, std::vector<u32> const& covered, u32 decisions = 3)
{
    CorpusRun run { number, number, 2000, 3000, StrategyKind::pct, {}, {}, {} };
    for (auto const point : covered)
        run.covered.push_back({ point, covered_event + point });
    for (u32 i = 0; i < decisions; ++i)
        run.decisions.push_back({ { Kind::schedule, 4, 10 * (i + 1) }, 5 + i % 2 });
    return run;
}

std::vector<u64> numbers(Corpus const& corpus)
{
    std::vector<u64> found;
    for (auto const& run : corpus.runs())
        found.push_back(run.number);
    return found;
}

TEST(Corpus, KeepsWhatShowsSomethingNew)
{
    Corpus corpus { 0 };
    EXPECT_TRUE(corpus.take(run_of(1, { 1, 2, 3 })));
    EXPECT_FALSE(corpus.take(run_of(2, { 1, 3 })));
    EXPECT_TRUE(corpus.take(run_of(3, { 3, 4 })));
    EXPECT_EQ(numbers(corpus), (std::vector<u64> { 1, 3 }));
    EXPECT_EQ(corpus.covered(), 4u);
    EXPECT_EQ(corpus.runs()[0].new_events.size(), 3u);
    EXPECT_EQ(corpus.runs()[1].new_events, std::vector<u32> { covered_event + 4 });
}

// Goal: what the others cover as well goes, and nothing that only one covers.
TEST(Corpus, LeavesOutWhatCoversNothingMore)
{
    Corpus corpus { 0 };
    corpus.add(run_of(1, { 1, 2 }));
    corpus.add(run_of(2, { 2, 3 }));
    corpus.add(run_of(3, { 1, 2, 3 }));
    corpus.add(run_of(4, { 9 }, 5));
    corpus.add(run_of(5, { 9 }, 2));
    corpus.minimise();
    EXPECT_EQ(numbers(corpus), (std::vector<u64> { 3, 5 }));
    EXPECT_EQ(corpus.covered(), 4u);
    corpus.minimise();
    EXPECT_EQ(corpus.runs().size(), 2u);
}

// Goal: how a run is made depends on the campaign's seed, the corpus and its number alone; all ways
// of making one come up, and what they make is within its bounds.
TEST(Corpus, MakesRuns)
{
    constexpr u64 count = 400;
    auto const made = [](u64 campaign) {
        Corpus corpus { campaign };
        corpus.add(run_of(1, { 1, 2 }));
        corpus.add(run_of(2, { 2, 3 }, 40));
        std::vector<Trial> trials;
        for (u64 number = 10; number < 10 + count; ++number)
            trials.push_back(corpus.trial(number));
        return trials;
    };
    auto const first = made(0), again = made(0), other = made(1);
    u64 fresh = 0, cut = 0, changed = 0, differ = 0;
    for (u64 i = 0; i < count; ++i) {
        auto const& trial = first[i];
        EXPECT_EQ(trial.origin, again[i].origin);
        EXPECT_EQ(trial.decisions, again[i].decisions);
        EXPECT_EQ(trial.branch_seed, again[i].branch_seed);
        differ += trial.origin != other[i].origin;
        fresh += !trial.decisions;
        cut += trial.branch_event != 0;
        changed += trial.decisions && trial.branch_event == 0;
        if (trial.branch_event != 0) {
            EXPECT_GT(trial.branch_event, 2000u);
            EXPECT_LE(trial.branch_event, 3001u);
        }
        if (trial.decisions) {
            EXPECT_TRUE(trial.seed == 1 || trial.seed == 2);
        } else {
            EXPECT_EQ(trial.seed, 10 + i);
        }
    }
    EXPECT_GT(fresh, count / 10);
    EXPECT_GT(cut, count / 4);
    EXPECT_GT(changed, count / 10);
    EXPECT_GT(differ, count / 2);
}

// Goal: an answer is exchanged for one of its own kind: others mean something else, and may be out
// of what can be asked. Method: values that tell their kind.
TEST(Corpus, ExchangesAnswersOfAKind)
{
    Corpus corpus { 0 };
    auto run = run_of(1, { 1, 2 });
    run.decisions.clear();
    for (u32 i = 0; i < 60; ++i) {
        auto const kind = i % 3 == 0 ? Kind::processor : i % 3 == 1 ? Kind::schedule : Kind::site;
        run.decisions.push_back({ { kind, 1, i }, static_cast<u32>(kind) * 1000 + i });
    }
    corpus.add(run);
    u64 exchanged = 0;
    for (u64 number = 10; number < 600; ++number) {
        auto const trial = corpus.trial(number);
        exchanged += trial.origin.find("exchanged") != std::string::npos;
        for (auto const& [key, value] : trial.decisions.value_or(std::vector<Decision> {}))
            EXPECT_EQ(value / 1000, static_cast<u32>(key.kind)) << trial.origin;
    }
    EXPECT_GT(exchanged, 10u);
}

// Goal: an empty corpus gives the seeds that gemel sim would take.
TEST(Corpus, BeginsWithSeeds)
{
    EXPECT_EQ(Corpus { 0 }.trial(7).seed, 7u);
    EXPECT_NE(Corpus { 1 }.trial(7).seed, 7u);
    EXPECT_FALSE(Corpus { 0 }.trial(7).decisions);
}

} // namespace
} // namespace gemel::sim
