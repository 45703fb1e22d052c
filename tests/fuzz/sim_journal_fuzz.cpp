// A journal of the simulator may come from anywhere, its checks right or not: reading one ends in
// an error that says something or in decisions that are written as they were read, and a replay
// answers nothing that was not asked for.
#include "sim/replay/journal.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/resealed.hpp"

#include <algorithm>
#include <cstdlib>

using namespace gemel;
using namespace gemel::sim;

namespace {

void play_back(Journal const& journal)
{
    Oracle oracle { journal.seed, journal.decisions };
    for (u32 i = 0; i < kinds; ++i)
        for (auto const& decision : journal.decisions) {
            auto const count = 1 + decision.value % 5;
            if (oracle.choose(
                    { static_cast<Kind>(i), decision.key.entity, decision.key.ordinal }, count, 0)
                >= count)
                std::abort();
        }
    for (auto const& decision : journal.decisions) {
        auto const& key = decision.key;
        auto const next = oracle.next_given(key.kind, key.entity, key.ordinal);
        if (next != key.ordinal)
            std::abort();
    }
}

void read(std::span<u8 const> bytes)
{
    Journal journal;
    JournalError error;
    if (!decode(bytes, journal, error)) {
        if (error.what.empty())
            std::abort();
        return;
    }
    if (journal.cpus == 0 || static_cast<u32>(journal.strategy) >= strategies)
        std::abort();
    play_back(journal);
    Journal again;
    if (!decode(encode(journal, Journal::bytes_max_whole), again, error)
        || (journal.complete && again.decisions != journal.decisions))
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    read({ data, size });
    read(test::resealed({ data, data + size }));
    return 0;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds()
{
    Journal journal;
    journal.seed = 7;
    journal.workload = "posix-mix";
    journal.check = "audit";
    auto const empty = encode(journal);
    for (u32 i = 1; i < kinds; ++i)
        journal.decisions.push_back({ { static_cast<Kind>(i), i * 0x4321, i }, i });
    journal.cpus = 2;
    return { encode(journal), empty };
}
