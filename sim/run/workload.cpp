#include "sim/run/workload.hpp"

namespace gemel::sim {

namespace {

constexpr u32 bit(Kind kind)
{
    return 1u << static_cast<u32>(kind);
}

constexpr u32 power = bit(Kind::power_loss) | bit(Kind::power_cut) | bit(Kind::recovery_cut);
constexpr u32 everything = lawful_kinds & ~bit(Kind::entropy) & ~power;
constexpr u32 gentle = everything & ~bit(Kind::task_kill);
constexpr u32 crash_states = 16;
constexpr std::string_view sequences = "fs-crash-"; // of so many operations, or long
constexpr u64 soon = 10'000'000'000;
constexpr u64 an_hour = 3600'000'000'000;

constexpr Workload known[] = {
    { "boot", "boot, one command, shut down", 0, soon, 0 },
    { "posix-mix", "files in /tmp, pipes and processes, through the shell", gentle, soon, 0 },
    { "session", "posix-mix by a user who thinks in between", gentle, an_hour, 0 },
    { "server-kill", "posix-mix while servers are killed", everything, soon, 0 },
    { "vfs-race", "three threads ask the vfs at once", gentle, soon, 0 },
    { "rights-race", "what is over must be refused", gentle, soon, 0 },
    { "cap-storm", "several tasks do everything to capabilities at once", gentle, soon, 0 },
    { "fair", "who waits at a port is served in its turn", gentle, soon, 0 },
    { "steady", "the same again and again: nothing may grow", 0, soon, 0 },
    { "fs-crash", "files on the disk while its power is cut", power, soon, crash_states },
    { "fs-crash-1", "the same: each operation, one a seed", power, soon, crash_states },
    { "fs-crash-2", "the same: each pair of operations", power, soon, crash_states },
    { "fs-crash-3", "the same: each three operations", power, soon, crash_states },
    { "fs-crash-long", "the same, until the log is full, with files open", power, soon,
        crash_states },
};

constexpr u64 domain_script = 2048;
// Once faults are over all of it has to work; the run fails at a line that begins with FAIL.
constexpr std::string_view probe
    = "echo probe > /tmp/probe || echo FAIL /tmp cannot be written\n"
      "grep probe /tmp/probe || echo FAIL /tmp lost what was written\n"
      "ls / > /dev/null || echo FAIL / cannot be listed\n"
      "cat /srv/greeting > /dev/null || echo FAIL the disk cannot be read\n"
      "ps | grep gsh > /dev/null || echo FAIL a pipe or /proc does not work\n";

std::string number(u64 value)
{
    return std::to_string(value);
}

// One line of the mix. Files are few, so that lines meet.
std::string line_of(u64 draw)
{
    auto const file = "/tmp/f" + number(draw >> 8 & 3);
    auto const other = "/tmp/g" + number(draw >> 10 & 3);
    auto const count = number(1 + (draw >> 16 & 31));
    switch (draw % 18) {
    case 0:
        return "echo " + number(draw >> 20 & 0xFFFF) + " > " + file;
    case 1:
        return "echo more-" + count + " >> " + file;
    case 2:
        return "cat " + file + " | wc";
    case 3:
        return "cat /srv/lines.txt | head -n " + count + " > " + other;
    case 4:
        return "mv " + file + " " + other;
    case 5:
        return "rm " + file;
    case 6:
        return "mkdir /tmp/d" + count;
    case 7:
        return "ls -l /tmp";
    case 8:
        return "cat /srv/lines.txt | grep 1 | sort | head -n " + count + " | wc -l";
    case 9:
        return "for i in 1 2 3; do echo $i; done | cat >> " + file;
    case 10:
        return "cp /srv/greeting " + other;
    case 11:
        return "ps | wc -l";
    case 12:
        return "head -c 64 /dev/random | wc -c";
    case 13:
        return "{ echo a; echo b; } | cat > " + other;
    case 14:
        return "cat " + other + " " + file + " | tail -n " + count;
    case 15:
        return "cat /docs/none/here";
    case 16: // more than a pipe holds, for a reader that leaves early
        return "head -c 200000 /dev/zero | head -c 10 | wc -c";
    case 17:
        return "cat /srv/lines.txt | cat - /srv/greeting | wc";
    }
    return "";
}

std::string mix_lines(u64 seed)
{
    std::string lines;
    auto const count = 4 + mix(seed, domain_script, 0, 0) % 12;
    for (u64 i = 0; i < count; ++i)
        lines += line_of(mix(seed, domain_script, 1, i)) + "\n";
    return lines;
}

// Between the lines: from some milliseconds to half a minute, as often as from half a second to a
// whole one. What works by the clock gets its turn.
std::string session_lines(u64 seed)
{
    constexpr u64 octaves = 12;
    constexpr u64 shortest_ms = 8;
    std::string lines;
    auto const count = 4 + mix(seed, domain_script, 0, 0) % 12;
    for (u64 i = 0; i < count; ++i) {
        auto const draw = mix(seed, domain_script, 2, i);
        auto const least = shortest_ms << draw % octaves;
        auto const ms = least + (draw >> 32) % least;
        auto const behind = number(1000 + ms % 1000).substr(1);
        lines += "sleep " + number(ms / 1000) + "." + behind + "\n";
        lines += line_of(mix(seed, domain_script, 1, i)) + "\n";
    }
    return lines;
}

// The shell opens several files in it.
constexpr std::string_view steady_line
    = "cat /srv/greeting | cat > /tmp/round; for i in 1 2 3 4; do echo $i >> /tmp/round; done\n"
      "echo @ma\"rk\"\n";

// The shell has opened more files by then than it may hold open at a time.
constexpr std::string_view steady_end
    = "echo last > /tmp/last || echo FAIL the shell cannot open a file any more\n";

// A leak loses something in every round; what is only kept, once.
std::string steady_rounds(u64 seed)
{
    constexpr u32 rounds = 9;
    std::string lines;
    for (u32 round = 0; round < rounds; ++round)
        lines += mix_lines(seed) + std::string { steady_line };
    return lines + std::string { steady_end };
}

} // namespace

std::span<Workload const> workloads()
{
    return known;
}

Workload const* find_workload(std::string_view name)
{
    for (auto const& workload : known)
        if (workload.name == name)
            return &workload;
    return nullptr;
}

u32 fault_kinds_of(std::string_view workload)
{
    auto const* found = find_workload(workload);
    return found ? found->fault_kinds : gentle;
}

Script script_of(std::string_view workload, u64 seed)
{
    if (workload == "boot")
        return { "", "ls /\n", "" };
    if (workload == "posix-mix" || workload == "server-kill")
        return { mix_lines(seed), std::string { probe }, "" };
    if (workload == "session")
        return { session_lines(seed), std::string { probe }, "" };
    if (workload == "steady")
        return { "", steady_rounds(seed), "" };
    if (workload == "cap-storm") {
        auto const line = "cap-storm " + number(seed);
        return { line + "\n", line + " || echo FAIL " + line + " does not work without faults\n",
            "" };
    }
    if (workload == "fs-crash")
        return { "fs-crash run " + number(seed) + "\n", std::string { probe },
            "fs-crash check " + number(seed) };
    if (workload.starts_with(sequences)) {
        auto const which = std::string { workload.substr(sequences.size()) } + " " + number(seed);
        return { "fs-crash run-" + which + "\n", std::string { probe }, "fs-crash check-" + which,
            Script::Cuts::when_told };
    }
    auto const name = std::string { workload };
    return { name + "\n", name + " || echo FAIL " + name + " does not work without faults\n", "" };
}

} // namespace gemel::sim
