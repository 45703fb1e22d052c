// The journal of a run: what was asked for, the decisions that were not the default, and what came
// of it. It is whole or refused: some of a run's decisions make another run.
#pragma once

#include "sim/explore/strategy.hpp"
#include "sim/oracle/oracle.hpp"
#include "sim/trace/trace.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::sim {

struct Journal {
    static constexpr usize bytes_max = 10 * 1024;
    // Of a run that its seed alone does not give: all of its decisions.
    static constexpr usize bytes_max_whole = 16u << 20;
    static constexpr usize workload_bytes_max = 47;

    u64 seed = 0;
    std::string workload; // at most workload_bytes_max
    StrategyKind strategy = StrategyKind::run_to_block;
    u32 fault_kinds = 0;
    bool preempts = false; // made by a build that counts edges
    bool races = false; // made by one that sees races
    u32 cpus = 1;
    u64 until_ns = 0;
    // What failed; the same must come out of a replay.
    std::string check; // at most 31 bytes; "": nothing failed
    std::string task; // at most 23 bytes
    std::string what; // its first 119 bytes, for people
    u64 what_hash = 0; // of all of it (failure_hash)
    Hash l1; // zeroes: the process ended before it could tell
    // complete: the decisions alone give the run. Otherwise there were too many of them, and the
    // run is made again from the seed.
    bool complete = true;
    std::vector<Decision> decisions;
};

// With more than `bytes_max` it holds no decisions and is not complete.
std::vector<u8> encode(Journal const& journal, usize bytes_max = Journal::bytes_max);

// Why a file cannot be used: says what, where, and what to do.
struct JournalError {
    std::string what;
};
bool decode(std::span<u8 const> bytes, Journal& journal, JournalError& error);

// What failed, without the host's addresses, which are others in every process.
u64 failure_hash(std::string_view what);

} // namespace gemel::sim
