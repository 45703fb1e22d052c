// Two threads with an exception each, stopped while they handle it: each must still have its own.
#include "servers/rt/lock.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

#include <span>
#include <vector>

namespace gemel::catch_race {

namespace {

constexpr u32 rounds = 20;
constexpr usize stack_bytes = 64 * 1024;

struct Thrower {
    u64 number;
    std::vector<u64> numbers;
    Notification const* finished;
};

// A while in which the other thread may run.
u64 sum_of(std::span<u64 const> numbers)
{
    u64 sum = 0;
    for (auto const number : numbers)
        sum = (sum + number) % 1'000'003;
    return sum;
}

// What is caught when the exception that is being handled is thrown once more.
u64 thrown_again(Thrower const& thrower)
{
    try {
        throw thrower.number;
    } catch (u64 const&) {
        if (sum_of(thrower.numbers) == 0)
            return 0;
        try {
            throw;
        } catch (u64 const& again) {
            return again;
        }
    }
}

void throw_often(void* argument)
{
    auto& thrower = *static_cast<Thrower*>(argument);
    for (u32 i = 0; i < rounds; ++i)
        if (thrown_again(thrower) != thrower.number)
            system::debug_print("FAIL catch-race: another thread's exception was caught\n");
    (void)thrower.finished->signal(thrower.number);
    for (;;)
        sleep_until(Deadline::none());
}

} // namespace

Result<void> server_main(Env&)
{
    auto const finished = TRY(Notification::create());
    Thrower throwers[]
        = { { 1, std::vector<u64>(60, 7), &finished }, { 2, std::vector<u64>(60, 9), &finished } };
    for (auto& thrower : throwers)
        (void)TRY(spawn_thread(throw_often, &thrower, stack_bytes, "thrower"));
    for (u64 done = 0; done != 3;)
        done |= TRY(finished.wait());
    return {};
}

} // namespace gemel::catch_race
