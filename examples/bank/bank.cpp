// Two tellers, one ledger, no lock. What a workload needs: a program that does something, checks it
// and says `FAIL what` on a line of its own.
#include "servers/rt/lock.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

namespace gemel::bank {

namespace {

constexpr u64 balance_first = 1000;
constexpr u32 transfers = 20;
constexpr usize stack_bytes = 16 * 1024;

struct Ledger {
    u64 balance[2] = { balance_first, balance_first };
    Notification finished;
};

struct Teller {
    Ledger& ledger;
    u32 from;
};

void transfer(Ledger& ledger, u32 from)
{
    auto const left = ledger.balance[from];
    (void)system::time_ns(); // the receipt's time: the kernel may let the other teller go on here
    ledger.balance[from] = left - 1;
    ledger.balance[1 - from] += 1;
}

void serve_customers(void* argument)
{
    auto& teller = *static_cast<Teller*>(argument);
    for (u32 i = 0; i < transfers; ++i)
        transfer(teller.ledger, teller.from);
    (void)teller.ledger.finished.signal(u64 { 1 } << teller.from);
    for (;;)
        sleep_until(Deadline::none());
}

} // namespace

Result<void> server_main(Env&)
{
    Ledger ledger { .finished = TRY(Notification::create()) };
    Teller tellers[] = { { ledger, 0 }, { ledger, 1 } };
    for (auto& teller : tellers)
        if (!spawn_thread(serve_customers, &teller, stack_bytes, "teller"))
            system::exit(1); // at once: the other teller's memory is this thread's
    for (u64 done = 0; done != 3;)
        done |= TRY(ledger.finished.wait());
    if (ledger.balance[0] + ledger.balance[1] != 2 * balance_first)
        system::debug_print("FAIL bank: money was made or lost\n");
    return {};
}

} // namespace gemel::bank
