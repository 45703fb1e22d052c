// Two tellers, one till, no lock, and between reading the sum and writing it nothing but computing.
#include "servers/rt/lock.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

#include <span>
#include <vector>

namespace gemel::till {

namespace {

constexpr u64 modulus = 1'000'003;
constexpr u32 slips = 20;
constexpr u32 coins = 40;
constexpr usize stack_bytes = 16 * 1024;

struct Till {
    u64 sum = 0;
    Notification finished;
};

struct Teller {
    Till& till;
    std::vector<u32> slip;
    u64 bit;
};

void count(Till& till, std::span<u32 const> slip)
{
    auto sum = till.sum;
    for (auto const coin : slip)
        sum = (sum + coin) % modulus; // the other teller may go on here
    till.sum = sum;
}

void count_slips(void* argument)
{
    auto& teller = *static_cast<Teller*>(argument);
    for (u32 i = 0; i < slips; ++i)
        count(teller.till, teller.slip);
    (void)teller.till.finished.signal(teller.bit);
    for (;;)
        sleep_until(Deadline::none());
}

} // namespace

Result<void> server_main(Env&)
{
    Till till { .finished = TRY(Notification::create()) };
    Teller tellers[]
        = { { till, std::vector<u32>(coins, 5), 1 }, { till, std::vector<u32>(coins, 20), 2 } };
    for (auto& teller : tellers)
        if (!spawn_thread(count_slips, &teller, stack_bytes, "teller"))
            system::exit(1); // at once: the other teller's memory is this thread's
    for (u64 done = 0; done != 3;)
        done |= TRY(till.finished.wait());
    if (till.sum != u64 { slips } * coins * (5 + 20) % modulus)
        system::debug_print("FAIL till: coins were lost\n");
    return {};
}

} // namespace gemel::till
