#include "sim/oracle/oracle.hpp"

#include <gtest/gtest.h>
#include <optional>

namespace gemel::sim {
namespace {

constexpr Rates often()
{
    Rates rates;
    for (auto& rate : rates.of)
        rate = 1u << 31;
    return rates;
}

// Goal: what is asked in between changes no other answer.
TEST(Oracle, AnswersDependOnTheKeyAlone)
{
    Oracle left { 7, often() };
    Oracle right { 7, often() };
    left.faults(true);
    right.faults(true);
    for (u32 i = 0; i < 1000; ++i) {
        (void)right.choose({ Kind::site, 99, i }, 2, 0);
        EXPECT_EQ(left.choose({ Kind::disk_error, 1, i }, 5, 0),
            right.choose({ Kind::disk_error, 1, i }, 5, 0));
    }
    EXPECT_GT(left.decisions().size(), 300u);
    EXPECT_LT(left.decisions().size(), 700u);
}

// Goal: playing back the decisions gives the same answers; without them all is usual.
TEST(Oracle, PlaysBack)
{
    Oracle first { 3, often() };
    first.faults(true);
    std::vector<u32> answers;
    for (u32 i = 0; i < 200; ++i)
        answers.push_back(first.choose({ Kind::disk_delay, 0, i }, 50, 0));
    Oracle again { 3, first.decisions() };
    for (u32 i = 0; i < 200; ++i)
        EXPECT_EQ(again.choose({ Kind::disk_delay, 0, i }, 50, 0), answers[i]);
    EXPECT_EQ(again.decisions(), first.decisions());
    Oracle none { 3, std::span<Decision const> {} };
    for (u32 i = 0; i < 200; ++i)
        EXPECT_EQ(none.choose({ Kind::disk_delay, 0, i }, 50, 0), 0u);
}

TEST(Oracle, FaultsHappenOnlyWhileTheyAreOn)
{
    Oracle oracle { 5, often() };
    for (u32 i = 0; i < 100; ++i)
        EXPECT_EQ(oracle.choose({ Kind::task_kill, 1, i }, 2, 0), 0u);
}

// Goal: up to a branch the answers are those that are played back; after it another seed's.
TEST(Oracle, Branches)
{
    Oracle first { 3, often() };
    first.faults(true);
    for (u32 i = 0; i < 200; ++i)
        (void)first.choose({ Kind::disk_delay, 0, i }, 50, 0);
    auto const branched = [&](u64 seed) {
        Oracle again { 3, first.decisions() };
        again.faults(true);
        for (u32 i = 0; i < 100; ++i)
            (void)again.choose({ Kind::disk_delay, 0, i }, 50, 0);
        again.branch(seed, often(), Entropy::fresh);
        for (u32 i = 100; i < 200; ++i)
            (void)again.choose({ Kind::disk_delay, 0, i }, 50, 0);
        return again.decisions();
    };
    auto const before = [](std::vector<Decision> const& decisions) {
        return std::vector<Decision> { decisions.begin(), decisions.begin() + 30 };
    };
    EXPECT_EQ(branched(8), branched(8));
    EXPECT_EQ(before(branched(8)), before(first.decisions()));
    EXPECT_NE(branched(8), branched(9));
    EXPECT_NE(branched(8), first.decisions());
}

// Goal: with the decisions of a branched run its seed gives the same entropy, where that was kept.
TEST(Oracle, KeepsItsEntropy)
{
    auto const second = [](std::optional<Entropy> entropy) {
        Oracle oracle { 3, std::span<Decision const> {} };
        (void)oracle.entropy();
        if (entropy)
            oracle.branch(8, Rates {}, *entropy);
        return oracle.entropy();
    };
    EXPECT_EQ(second(Entropy::kept), second(std::nullopt));
    EXPECT_NE(second(Entropy::fresh), second(std::nullopt));
}

// Goal: the numbers are the same on every compiler and machine, for ever: journals hold seeds.
TEST(Oracle, MixIsFixed)
{
    EXPECT_EQ(mix(0, 0, 0, 0), mix(0, 0, 0, 0));
    EXPECT_NE(mix(0, 0, 0, 0), mix(0, 0, 0, 1));
    EXPECT_NE(mix(0, 0, 1, 0), mix(0, 1, 0, 0));
    EXPECT_NE(mix(1, 0, 0, 0), mix(0, 0, 0, 0));
}

// Goal: a machine that is switched on again is asked anew, and a replay tells the two times apart.
TEST(Oracle, AnswersEachBootOnItsOwn)
{
    Key const key { Kind::schedule, 3, 5 };
    Oracle first { 1, Rates {} };
    (void)first.decide(key, 9, 0);
    first.next_boot();
    (void)first.decide(key, 0, 0);
    Oracle again { 1, first.decisions() };
    EXPECT_EQ(again.decide(key, 7, 0), 9u);
    again.next_boot();
    EXPECT_EQ(again.decide(key, 7, 0), 0u);
}

} // namespace
} // namespace gemel::sim
