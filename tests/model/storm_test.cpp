// Goal: whatever is called, in whatever order, on one processor or on two, the kernel's books
// balance and a call that fails changes nothing; and everything is called: each deed of deeds.hpp
// succeeds, and says every error of its list and no other. Method: random calls (storm.hpp), all
// books counted anew after each. GEMEL_STORM_STEPS and GEMEL_STORM_SEED choose another run,
// GEMEL_STORM_TABLE=1 prints what was met how often.
#include "tests/model/storm.hpp"

#include <cstdlib>

namespace gemel {
namespace {

u64 number_from(char const* name, u64 otherwise)
{
    auto const* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

} // namespace

TEST(Storm, TheBooksBalanceAndNothingIsLeftOut)
{
    constexpr u64 steps_in_run = 2000; // handles die by then, and most are lost
    auto const steps = number_from("GEMEL_STORM_STEPS", 1'000'000);
    auto const first = number_from("GEMEL_STORM_SEED", 1);
    Ledger ledger;
    u64 faults = 0;
    u64 interrupts = 0;
    u64 tasks = 0;
    // What a run has not met by its end gets as many steps again.
    auto const goes_on = [&](u64 made) {
        return made < steps
            || (made < 2 * steps && !ledger.missing(Ledger::Rare::not_wanted).empty());
    };
    for (u64 run = 0; goes_on(run * steps_in_run); ++run) {
        Storm storm(first + run, 1 + run % 2);
        for (u64 i = 0; i < steps_in_run; ++i) {
            storm.step();
            ASSERT_EQ(storm.trouble(), "") << "seed " << first + run << ", step " << i << " of run "
                                           << run << " on " << 1 + run % 2 << " processors";
        }
        ledger.add(storm.ledger());
        faults += storm.faults();
        interrupts += storm.interrupts();
        tasks += storm.tasks_ended();
    }
    if (number_from("GEMEL_STORM_TABLE", 0) != 0)
        ledger.print();
    std::printf("%llu faults, %llu interrupts, %llu tasks reaped\n",
        static_cast<unsigned long long>(faults), static_cast<unsigned long long>(interrupts),
        static_cast<unsigned long long>(tasks));
    if (steps < 1'000'000)
        return; // too short a run to meet everything
    EXPECT_EQ(ledger.missing(Ledger::Rare::not_wanted), "");
    EXPECT_GT(tasks, steps / 20'000);
}

} // namespace gemel
