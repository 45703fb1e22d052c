// What ThreadSanitizer is told of tasks, and that the kernel's own order is none of theirs.
#include "arch/hosted/src/race.hpp"
#include "tests/support/in_system.hpp"

#include <gtest/gtest.h>

namespace gemel {

using namespace test;

namespace {

using hosted::HostThreads;

struct Shared {
    u64 words[2] = {}; // a machine's
    u64 told = 0; // signalled when its word is written; 0: nobody is
    u64 done = 0;
};

// A race is told once for each place in the code and in memory: each machine has its own.
template <HostThreads host_threads>
void write_word(u64 argument)
{
    auto& shared = *reinterpret_cast<Shared*>(argument);
    auto& word = shared.words[static_cast<u64>(host_threads)];
    word = word + 1;
    if (shared.told != 0)
        call(Call::signal, { shared.told, 1 });
    call(Call::sched_yield, {});
    call(Call::signal, { shared.done, 1 });
    for (;;)
        call(Call::port_receive, { own_fault_port }, 0, receive_flags(ReceiveFlag::call));
}

// How much is found while init writes the word, too: after it was told, or whenever.
template <HostThreads host_threads>
u32 found_when(bool told)
{
    u32 found = 0;
    in_system(
        [&](Init const& init) {
            Shared shared { .told = told ? init.port() : 0, .done = init.port() };
            init.spawn(write_word<host_threads>, reinterpret_cast<u64>(&shared));
            if (told)
                call(Call::port_receive, {}, shared.told);
            else
                call(Call::sched_yield, {});
            auto& word = shared.words[static_cast<u64>(host_threads)];
            word = word + 2;
            call(Call::port_receive, {}, shared.done);
            found = arch::race::found_count();
        },
        32u << 20, {}, host_threads == HostThreads::one ? 1 : 2, arch::Isolation::off,
        host_threads);
    return found;
}

} // namespace

// Goal: two threads that change one word are a race, unless a message came in between; that both
// were in the kernel is no order. So on one host thread and on several.
TEST(Race, OnlyMessagesOrderWhatTasksDo)
{
    EXPECT_EQ(found_when<HostThreads::one>(true), 0u);
    EXPECT_GT(found_when<HostThreads::one>(false), 0u);
    EXPECT_EQ(found_when<HostThreads::one_each>(true), 0u);
    EXPECT_GT(found_when<HostThreads::one_each>(false), 0u);
}

} // namespace gemel
