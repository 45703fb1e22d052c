// The one door: every decision of a simulated run is `choose`. What it answers is a function of the
// seed and of what is asked (kind, entity, ordinal), never of how much was asked before: a new
// fault point or a log line changes no other decision. Integers only, so that every compiler
// agrees.
#pragma once

#include "core/base/types.hpp"

#include <functional>
#include <map>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace gemel::sim {

// What is decided. Numbers are the journal's: add, never change.
enum class Kind : u8 {
    entropy = 0, // the seed's own; never in a journal
    schedule = 1, // entity: the thread that was served, ordinal: its kernel entries; value:
    // another thread's id, 0 none
    task_kill = 2, // entity: thread, ordinal: its kernel entries; 1: it faults there
    site = 3, // entity: the label's hash, ordinal: how often it was reached; 1: the fault happens
    disk_error = 4, // entity: device, ordinal: request; 1: an I/O error
    disk_delay = 5, // value: microseconds more
    interrupt_spurious = 6, // entity: line, ordinal: kernel entries of the machine; 1: it is raised
    interrupt_late = 7, // entity: line, ordinal: its raises; value: microseconds
    clock_jump = 8, // ordinal: ticks; value: milliseconds that are missed
    tick_early = 9, // entity: the thread that was served, ordinal: its kernel entries; 1: a tick
    power_loss = 10, // ordinal: the sector write; 1: it survives
    power_cut = 11, // entity: device, ordinal: its writes; 1: the power fails after it
    recovery_cut = 12, // the same, while the system starts after a power cut
    disk_lie = 13, // entity: device, ordinal: its flushes; 1: answered, and nothing done
    preempt = 14, // entity: thread, ordinal: its edges (gemel/hosted/edges.hpp); value: the id of
    // the thread that runs instead, 0 none
    processor = 15, // entity: the thread that was served, ordinal: its kernel entries; value: the
    // number of the processor that goes on, and one; 0: the one whose turn it is
    interrupt_lost = 16, // entity: line, ordinal: its raises; 1: nobody hears of it
    interrupt_burst = 17, // entity: line, ordinal: its raises; value: how many times more it comes
};
inline constexpr u32 kinds = 18;

char const* name_of(Kind kind);
// Chance alone, and not the plan's: a run without faults still decides these.
constexpr bool is_fault(Kind kind)
{
    return kind != Kind::entropy && kind != Kind::schedule && kind != Kind::power_loss
        && kind != Kind::power_cut && kind != Kind::recovery_cut && kind != Kind::preempt
        && kind != Kind::processor;
}

// What --faults may name. The others are no faults, or come with one: what survives a power cut.
constexpr bool is_family(Kind kind)
{
    return is_fault(kind) || kind == Kind::power_cut || kind == Kind::recovery_cut;
}

struct Key {
    Kind kind = Kind::entropy;
    u32 entity = 0;
    u32 ordinal = 0;
    bool operator<(Key const& other) const
    {
        return std::tie(kind, entity, ordinal) < std::tie(other.kind, other.entity, other.ordinal);
    }
    bool operator==(Key const&) const = default;
};

// One answer that was not the default.
struct Decision {
    Key key;
    u32 value = 0;
    bool operator==(Decision const&) const = default;
};

// Counter-based randomness: 64 good bits for each (seed, domain, entity, ordinal).
u64 mix(u64 seed, u64 domain, u64 entity, u64 ordinal);

// How often each kind of fault happens, in 1 / 2^32 of the times it is asked.
struct Rates {
    u32 of[kinds] = {};
};

// Swarm: each seed draws a subset of the families of `allowed` (bit n: kind n) and, log-uniformly,
// their rates.
Rates swarm(u64 seed, u32 allowed);
inline constexpr u32 all_kinds = (1u << kinds) - 1;
// What a system has to survive. A disk that lies is asked for by name.
inline constexpr u32 lawful_kinds = all_kinds & ~(1u << static_cast<u32>(Kind::disk_lie));

// A machine that was switched on again counts its entries and threads from the start, so an entity
// also says which time it was switched on: these bits of it, in a key that was answered.
inline constexpr u32 boot_shift = 28;

// Of a run that branches: another seed's as well, or that of its beginning, so that a journal of
// what was decided is all of the run.
enum class Entropy : u8 { fresh, kept };

class Oracle {
public:
    // Answers come from the seed.
    Oracle(u64 seed, Rates const& rates);
    // Answers are the defaults but for these; entropy is the seed's.
    Oracle(u64 seed, std::span<Decision const> decisions);

    // 0..count-1; `usual` unless the world is to differ here. `count` is at least 1.
    u32 choose(Key key, u32 count, u32 usual);
    // The same for a value that a strategy chose (it is played back, not made, in a replay).
    u32 decide(Key key, u32 wanted, u32 usual);
    u64 entropy();
    // Of a replay: the least ordinal from `from` on for which a decision is given; ~0: none.
    u64 next_given(Kind kind, u32 entity, u64 from) const;

    // The machine is switched on again: keys are asked anew. At most 16 times.
    void next_boot() { ++boot_; }
    // From here on answers come from this seed, whatever they came from before.
    void branch(u64 seed, Rates const& rates, Entropy entropy);
    // Called with each decision when it is made; a branch keeps it.
    void on_decision(std::function<void(Decision const&)> hook)
    {
        decision_hook_ = std::move(hook);
    }
    // Faults happen only while they are on.
    void faults(bool on) { faults_on_ = on; }
    bool replaying() const { return replaying_; }
    u64 seed() const { return seed_; }
    // Of what is drawn and stands in no journal: where the entropy is kept, a branch keeps it, too.
    u64 unrecorded_seed() const { return entropy_seed_; }

    // What was answered and not the default, in order.
    std::vector<Decision> const& decisions() const { return decisions_; }
    u64 asked() const { return asked_; }

private:
    Key placed(Key key) const;
    u32 answered(Key key, u32 value, u32 usual);

    u64 seed_;
    u64 entropy_seed_;
    Rates rates_;
    bool replaying_ = false;
    bool faults_on_ = false;
    u32 boot_ = 0;
    u64 entropy_count_ = 0;
    u64 asked_ = 0;
    std::map<Key, u32> given_;
    std::vector<Decision> decisions_;
    std::function<void(Decision const&)> decision_hook_;
};

} // namespace gemel::sim
