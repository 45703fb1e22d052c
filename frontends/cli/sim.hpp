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
    std::string until = "10s"; // virtual
    std::string workload = "boot";
    std::string strategy = "portfolio";
    std::string faults = "default"; // default, none, all, or names with commas
    std::string events; // files, "" for none
    std::string trace_text;
    std::string journal_folder = ".";
    unsigned jobs = 1;
    bool twice = false;
    bool open_jail = false;
    int heap_fill = 0;
    unsigned stack_pad = 0;
    bool show_console = false;
};

struct ReplayOptions {
    std::string file;
    std::string to; // "", a virtual time, or event:N
    std::string events;
    std::vector<std::string> commands; // for gdb; then it ends
    bool gdb = false;
    bool here = false; // in this process: what gdb runs
    bool console = false;
};

int replay(ReplayOptions const& options);
// `to`: the file that gets the shrunk journal; "": the same.
int shrink_journal(std::string const& path, std::string const& to);
int simulate(SimOptions const& options);
int diverge(std::string const& left, std::string const& right);
int show_sites(SimOptions const& options, bool never_hit_only);

// Null after a message.
std::optional<SimSpec> spec_of(SimOptions const& options);
std::optional<u64> nanoseconds_of(std::string const& text);

} // namespace gemel::cli
