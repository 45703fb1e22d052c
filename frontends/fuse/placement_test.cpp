#include "frontends/fuse/placement.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace gemel::fuse {
namespace {

u64 test_now_ns = 0;

u64 test_clock()
{
    return test_now_ns;
}

u32 processors()
{
    cpu_set_t allowed {};
    ::sched_getaffinity(0, sizeof allowed, &allowed);
    return static_cast<u32>(CPU_COUNT(&allowed));
}

// A wait and its request, as on a host where one who looks waits half as long. Whether it looked.
bool one_round(Placement& placement)
{
    auto const looks = placement.waits();
    test_now_ns += looks ? 20'000 : 40'000;
    placement.note(::getpid(), Placement::Size::small);
    return looks;
}

// Where the other way is best, the choice gets there.
void settle(Placement& placement)
{
    u32 rounds = 0;
    while (!one_round(placement) && rounds < 100'000)
        ++rounds;
    for (u32 i = 0; i < WaitChoice::epoch_waits; ++i)
        one_round(placement);
}

} // namespace

// Goal: where it shortens the waits the thread looks before it sleeps, and may run anywhere.
TEST(Placement, LooksWhereThatIsBetter)
{
    auto const before = processors();
    if (before < 2)
        GTEST_SKIP() << "one processor: no choice";
    Placement placement(test_clock);
    settle(placement);
    u32 looked = 0;
    for (u32 i = 0; i < 1000; ++i)
        looked += one_round(placement) ? 1 : 0;
    EXPECT_GE(looked, 850u); // the rest were trials
    while (!one_round(placement)) { }
    EXPECT_EQ(processors(), before);
}

// Goal: a look is bounded, and looks in vain become rare: an idle mount costs nothing.
TEST(Placement, LooksInVainAreBounded)
{
    if (processors() < 2)
        GTEST_SKIP() << "one processor: no choice";
    Placement placement(test_clock);
    settle(placement);
    u32 looks = 0;
    for (u32 i = 0; i < 1000; ++i) {
        if (placement.waits()) {
            ++looks;
            test_now_ns += Placement::look_ns - 1;
            EXPECT_TRUE(placement.looks_on());
            test_now_ns += 1;
            EXPECT_FALSE(placement.looks_on());
        }
        test_now_ns += WaitChoice::wait_max_ns + 1; // a pause of the caller
        placement.note(::getpid(), Placement::Size::small);
    }
    EXPECT_LE(looks, 1000 / Placement::looks_left_out_max + 8);
    EXPECT_GE(looks, 1000 / Placement::looks_left_out_max / 2);
}

// Goal: with one processor to run on, looking could only keep the caller off it.
TEST(Placement, NeverLooksOnOneProcessor)
{
    cpu_set_t before {};
    ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
    cpu_set_t one {};
    CPU_SET(*processor_of(::getpid()), &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    {
        Placement placement(test_clock);
        for (u32 i = 0; i < 10'000; ++i)
            EXPECT_FALSE(one_round(placement));
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
}

// Goal: beside a caller the thread is on one processor, and free again afterwards.
TEST(Placement, LetsGo)
{
    auto const before = processors();
    {
        Placement placement(test_clock);
        for (u32 i = 0; i < 32; ++i)
            one_round(placement);
        EXPECT_EQ(processors(), 1u);
        placement.release();
        EXPECT_EQ(processors(), before);
        for (u32 i = 0; i < 32; ++i)
            one_round(placement);
    }
    EXPECT_EQ(processors(), before);
}

} // namespace gemel::fuse
