// A simulated run as a process of its own, so that one that crashes, hangs or leaks harms nobody.
#pragma once

#include "sim/record/played_run.hpp"
#include "sim/run/workload.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gemel::cli {

struct SimSpec {
    u64 seed = 0;
    std::string workload = "boot";
    sim::StrategyKind strategy = sim::StrategyKind::portfolio;
    u32 fault_kinds = 0;
    bool preempts = false; // inside code, too
    bool races = false; // what a build sees that looks for them (arch::watches_races) fails
    u32 cpus = 1;
    bool traces_messages = false; // another run: each line that is printed is a kernel entry
    u64 until_ns = 10'000'000'000;
    std::optional<std::vector<sim::Decision>> decisions;
    sim::Plan::Branch branch; // of a forked run
    bool covers = false; // of a forked run: SimResult::covered is wanted
    // A recorded session in place of all that.
    std::shared_ptr<sim::Recording const> recording;
    u64 processor_seconds_max = 60; // of one run: then it is said to be inconclusive
};

// What is done to the process and must make no difference.
struct Perturbation {
    int heap_fill = 0; // mallopt M_PERTURB, and the tasks' heaps
    u32 stack_bytes = 0; // the run stands that much lower on the host's stack
};

enum class Jail : u8 { closed, open };

// forked: quick, and equal in L1. executed: a fresh process without address randomisation and
// environment, equal in L2 as well.
enum class Process : u8 { forked, executed };

// kept: what the run left of its disk is in SimResult::disk (of a forked run).
enum class DiskAfter : u8 { gone, kept };

struct SimWay {
    Perturbation perturbation;
    Jail jail = Jail::closed;
    Process process = Process::forked;
    DiskAfter disk = DiskAfter::gone;
    std::string events; // a file that gets every event, or ""
    std::string block_log; // a file that gets what is asked of the disk, or "" (a forked run)
    // Says who waits for what when the run comes to this event or virtual time; 0: never.
    u64 stop_event = 0;
    u64 stop_ns = 0;
    // Called at every event, and once as number 0 when the run begins: for a debugger.
    void (*each_event)(u64 event, u64 time_ns) = nullptr;
    int transcript = -1; // an open descriptor that gets all that the console shows; -1: none
};

enum class Verdict : u8 {
    inconclusive, // out of processor time
    passed,
    failed, // a check broke
    leaked, // the jail caught something that is no function of the seed
};

struct SimResult {
    Verdict verdict = Verdict::inconclusive;
    sim::Failure failure; // where it failed, or what leaked
    sim::Hash l1;
    sim::Hash l2;
    sim::Hash boot_l1 { 0, 0 }; // when the first boot was over; zeroes: it was not
    u64 time_ns = 0;
    u64 events = 0;
    u64 begun_event = 0; // sim::Outcome
    u64 free_event = 0;
    sim::StrategyKind strategy = sim::StrategyKind::run_to_block;
    u32 power_cuts = 0;
    u32 crash_states = 0;
    std::vector<sim::CoveredPoint> covered;
    std::vector<sim::Decision> decisions;
    u64 edges = 0;
    u32 stop_count = 0;
    std::vector<sim::Stop> stops; // the first of them
    std::vector<u64> reached;
    bool stopped = false; // it came to SimWay's stop
    std::string console; // its end
    std::string
        not_jailed; // why system calls could not be caught though they were to be; "": they were
    int disk = -1; // an open descriptor, the taker's to close; -1: none was kept
};

struct SimShared;
struct SimChild {
    int process = -1;
    int disk = -1;
    SimShared* shared = nullptr;
};

// What every run of this process shares: the bundle and the disk, read once.
class SimHost {
public:
    // Null after a message.
    static std::optional<SimHost> open();

    sim::Setup setup_of(SimSpec const& spec) const;
    // In a process of its own.
    SimResult run(SimSpec const& spec, SimWay const& way = {}) const;
    // The two halves of it, for several at once.
    SimChild start(SimSpec const& spec, SimWay const& way) const;
    static SimResult finish(SimChild child, int wait_status);
    // What a run reported in there, of which the host says that; it stays where it is.
    static SimResult result_of(SimShared const& from, int wait_status);
    // Memory for reports, shared with processes that are forked; for one run after the other.
    static SimShared* make_shared();
    static void reset(SimShared& shared);
    static void free_shared(SimShared* shared);
    // In this process, which ends with it: for a debugger. No jail.
    [[noreturn]] void run_here(SimSpec const& spec, SimWay const& way) const;
    // In this process: boots, and then asks `next`, which comes back in a forked child alone, with
    // what that is to run and how. No jail until then. What is reported goes to `shared`.
    using Next = std::function<std::pair<SimSpec, Jail>(hosted::System&)>;
    [[noreturn]] void run_booted(SimSpec const& boot, SimShared& shared, Next const& next) const;
    // What an executed process does: `words` are its arguments (run_words). Does not return.
    [[noreturn]] void run_words(std::vector<std::string> const& words) const;

private:
    // The disk's bytes in a file of this process's memory.
    int disk_copy() const;

    std::vector<u8> bundle_;
    u8* disk_ = nullptr; // private to each process: a child's writes are its own
    u64 disk_bytes_ = 0;
};

std::string text_of(sim::Hash const& hash);
std::string time_text(u64 nanoseconds);

} // namespace gemel::cli
