// One simulated run, from boot to the audit of the books: a function of its setup.
#pragma once

#include "sim/world/closed_world.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gemel::sim {

// What is typed at the shell, a line each.
struct Script {
    std::string safety; // while faults happen
    std::string liveness; // afterwards: has to work
    // Typed before `liveness`, with two numbers behind it: the last step that the workload's
    // program said is durable, and the last that it began (debug lines "@durable N" and "@step N";
    // 0: none).
    std::string verify;
    // Whether the power may fail from the first line on, or once a debug line says "@cuts".
    enum class Cuts : u8 { at_once, when_told };
    Cuts cuts = Cuts::at_once;
};

// The first boot has no faults and no strategy: chance in it is entropy alone, and this many seeds
// (to this power of two) share one, so that one world that has booted serves them all.
inline constexpr u32 boot_seed_bits = 10;
constexpr u64 boot_seed_of(u64 seed)
{
    return seed >> boot_seed_bits;
}

// What takes effect when the first boot is over. Of the boot itself these alone tell anything:
// boot_seed_of(seed), and whether tasks may be killed (the shell is then an interactive one).
struct Plan {
    u64 seed = 0;
    Script script;
    StrategyKind strategy = StrategyKind::portfolio;
    u32 fault_kinds = 0; // bit n: Kind n may happen
    bool preempts = false; // inside code as well; in a build that counts edges
    u64 until_ns = 10'000'000'000;
    // Replay: these and nothing else.
    std::optional<std::vector<Decision>> decisions;
    // From this event on every answer is a fresh one, drawn from this seed (`gemel when`); 0:
    // never.
    struct Branch {
        u64 event = 0;
        u64 seed = 0;
        StrategyKind strategy = StrategyKind::portfolio;
        Entropy entropy = Entropy::fresh;
    };
    Branch branch;
    bool covers = false; // Outcome::covered is wanted
    // Says what is wrong with a disk, "" when nothing is. Asked at each power cut about what is
    // left and about `crash_states` further subsets of what was not flushed, and at the end.
    std::function<std::string(std::span<u8 const>)> check_disk;
    u32 crash_states = 0;
};

struct Setup : Plan {
    std::span<u8 const> bundle;
    u64 init_entry = 0;
    std::span<u8> disk; // empty: none. Changed by the run
    u64 memory_bytes = 64u << 20;
    u32 cpus = 1; // virtual processors, at most cpus_max
    bool traces_messages = false; // servers print what they answer (servers/rt/trace.hpp)
    Trace::Keep keep = Trace::Keep::hash;
    bool hashes_memory = true; // whether L2 is wanted
    // Called once when the run comes to this event or time (replay's --to); 0: never.
    u64 stop_event = 0;
    u64 stop_ns = 0;
    std::function<void()> stopped;
    // Called after every event, with its number from 1 on and its time: for a debugger's stops.
    std::function<void(u64 event, u64 time_ns)> each_event;
    // Gets what is asked of the disk, as text (sim/devices/block_log.hpp).
    std::function<void(std::string_view)> block_log;
    // Called once the machine is made and before it starts: from here on nothing may come from
    // outside (the jail is closed).
    std::function<void()> closing;
    // Called when the first boot is over, with the machine standing still and on the host's own
    // stack: it may make another plan, and may fork.
    std::function<void(Plan&, hosted::System&)> booted;
    // Called with each decision when it is made: the process may end before the run does.
    std::function<void(Decision const&)> decided;
    // Called right when something failed, with what is known then: the process may be about to end.
    std::function<void(struct Outcome const&)> failing;
};

struct Outcome {
    std::optional<Failure> failure;
    int status = 0; // the machine's
    u64 time_ns = 0; // virtual
    Hash l1;
    Hash l2; // L1 and the machine's memory; if it was wanted
    Hash boot_l1 { 0, 0 }; // L1 when the first boot was over; zeroes: it was not
    u64 events = 0;
    // Behind the first boot, and where faults and strategy ended for the last time: between them a
    // branch makes a difference.
    u64 begun_event = 0;
    u64 free_event = 0;
    u32 power_cuts = 0;
    u32 crash_states = 0; // that check_disk has seen
    StrategyKind strategy = StrategyKind::run_to_block;
    std::vector<Decision> decisions;
    u64 edges = 0; // that task code made
    u32 stop_count = 0; // of threads, inside their code
    std::vector<Stop> stops; // the first ones
    std::vector<Hash> digests;
    std::vector<Event> log; // where events are kept
    std::vector<TaskName> names;
    std::vector<u64> reached; // by site
    std::vector<CoveredPoint> covered; // from the end of the first boot on, if it was wanted
    std::string console;
};

// The machine is made, run and gone again when this returns. Throws std::system_error when the host
// refuses the machine's memory.
Outcome run_closed(Setup const& setup);

} // namespace gemel::sim
