// The simulator's commands (docs/simulator.md). Each returns the program's exit status.
#pragma once

#include "frontends/cli/sim_run.hpp"

#include <string>

namespace gemel::cli {

inline constexpr int exit_nondeterminism = 3;

struct SimOptions {
    std::optional<u64> seed;
    std::string seeds; // "A..B", both included
    std::string time; // "60s": as many seeds as fit
    std::string until; // virtual; "": the workload's own
    std::string workload = "boot";
    std::string strategy = "portfolio";
    std::string faults = "default"; // default, none, all, or names with commas
    std::string events; // files, "" for none
    std::string trace_text;
    std::string trace; // for the Perfetto UI
    std::string block_log;
    bool messages = false;
    std::string journal_folder = ".";
    unsigned jobs = 1;
    bool twice = false;
    bool first_failure = false; // ends with it
    std::string corpus; // a folder: runs are made from what is kept there; "": of seeds alone
    unsigned campaign_seed = 0; // of such runs
    bool guided = true; // such runs are kept by what they covered
    bool minimise = false; // of such runs, no more; then it ends
    bool each = false; // says a line about seeds that passed, too
    bool preempt = false;
    bool races = false;
    unsigned cpus = 1;
    bool open_jail = false;
    int heap_fill = 0;
    unsigned stack_pad = 0;
    bool show_console = false;
    unsigned processor_seconds = 60; // of one run: then it is inconclusive
};

struct ReplayOptions {
    std::string file;
    std::string to; // "", a virtual time, or event:N
    std::string events;
    std::string trace_text;
    std::string trace;
    std::vector<std::string> commands; // for gdb; then it ends
    bool gdb = false;
    bool serve = false; // gdb's other side, on standard input and output
    bool console = false;
    bool shell = false; // of a recording: live on from there
    int heap_fill = 0; // must make no difference
    unsigned processor_seconds = 60; // of a journal: then it is inconclusive
};

struct ShrinkOptions {
    std::string file;
    std::string to; // gets the shrunk journal; "": the file itself
    unsigned runs_max = 2000;
    std::string time; // "60s": the best that was found by then; "": no matter
    unsigned processor_seconds = 60; // of the journal's run: a loop ends by it
};

// `gemel when`: how likely a failure was, from the instants of its run on.
struct WhenOptions {
    std::string file;
    unsigned seeds = 20; // futures that are tried from each instant
    unsigned points = 16; // instants, before it is looked at more closely
    unsigned jobs = 1;
    std::string strategy = "portfolio"; // of the futures
    bool json = false;
};

int replay(ReplayOptions const& options);
int when(WhenOptions const& options);
int replay_recording(ReplayOptions const& options);
int shrink_journal(ShrinkOptions const& options);
int simulate(SimOptions const& options);
int diverge(std::string const& left, std::string const& right);
int show_sites(SimOptions const& options, bool never_hit_only);

// Null after a message.
std::optional<SimSpec> spec_of(SimOptions const& options);
// Where the events go that traces are made of; "" when there is no trace.
std::string events_for(std::string const& trace_text, std::string const& trace);
// How a replay goes about it: events, heap fill, --to. False after a message.
bool way_of(ReplayOptions const& options, SimWay& way);
// Whether the replay came to --to. False after a message.
bool came_to_stop(std::string const& to, SimResult const& result);
std::optional<u64> nanoseconds_of(std::string const& text);

} // namespace gemel::cli
