// What a simulated user types.
#pragma once

#include "sim/run/closed_run.hpp"

#include <string_view>

namespace gemel::sim {

struct Workload {
    std::string_view name;
    std::string_view about;
    u32 fault_kinds; // what may happen when the user says nothing
    u64 until_ns; // virtual time by which it must have ended when the user says nothing
    u32 crash_states; // disks that are looked at for each power cut, besides the one that is booted
};

std::span<Workload const> workloads();
// Null: none of ours; then the name is a program's (examples/).
Workload const* find_workload(std::string_view name);
// What may happen when the user says nothing: to a program, what may happen to posix-mix.
u32 fault_kinds_of(std::string_view workload);
// A function of both.
Script script_of(std::string_view workload, u64 seed);

} // namespace gemel::sim
