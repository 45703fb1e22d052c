// The commands of the one program `tools`, with what `help` says of each. CMakeLists.txt has the
// same names; a test holds the two together.
#pragma once

#include <array>
#include <string_view>

namespace gemel::tools {

struct Command {
    std::string_view name;
    std::string_view summary; // usage, then what it does
};

inline constexpr std::array<Command, 46> commands { {
    Command { "basename", "basename PATH [SUFFIX]: the last name of a path" },
    Command { "caps",
        "caps [-a | TASK]: the capabilities of the caller, of a task, or all and the kernel's "
        "count" },
    Command { "cat", "cat [FILE...]: the files one after the other; - or none: standard input" },
    Command { "chmod", "chmod MODE PATH...: permission bits, as 644 or u+x,go-w" },
    Command { "clear", "clear: an empty screen" },
    Command { "cp", "cp [-r] FROM... TO: copies files; -r: whole trees" },
    Command { "date", "date [-s]: the time of day, UTC; -s: in seconds since 1970" },
    Command { "df", "df [-h] [PATH...]: the space of file systems" },
    Command { "dirname", "dirname PATH: what stands before the last name of a path" },
    Command { "du", "du [-hs] [PATH...]: what trees take on their disk, in KiB" },
    Command { "echo", "echo [-n] WORD...: the words" },
    Command { "env", "env: the variables" },
    Command { "false", "false: fails" },
    Command { "find",
        "find [PATH...] [-name PATTERN] [-type f|d|l|b|c|p|s] [-maxdepth N]: names in trees" },
    Command { "free", "free [-h]: the machine's memory and capability rows" },
    Command { "fsck", "fsck PATH: checks the file system that holds it; status 1 on problems" },
    Command { "fstrim", "fstrim PATH: tells the disk below it which blocks are free" },
    Command { "grep", "grep [-civnq] TEXT [FILE...]: the lines that contain a text" },
    Command { "head", "head [-n LINES | -c BYTES] [FILE...]: the beginning" },
    Command { "hexdump", "hexdump [-C] [-n BYTES] [-s OFFSET] [FILE...]: bytes in hexadecimal" },
    Command { "ln", "ln [-fs] FROM... [TO]: further names for files; -s: links that hold a path" },
    Command { "log", "log [-n LINES] [-l LEVEL]: the last lines of the system's log" },
    Command { "ls", "ls [-adhlR1] [PATH...]: what is in directories" },
    Command { "mkdir", "mkdir [-p] PATH...: makes directories" },
    Command { "mount", "mount: which file systems are where" },
    Command { "mv", "mv FROM... TO: renames" },
    Command { "ports", "ports: all ports, their owners and queues" },
    Command { "ps", "ps [-t]: tasks, or all their threads" },
    Command { "readlink", "readlink PATH...: where symbolic links lead" },
    Command { "rm", "rm [-rf] PATH...: removes" },
    Command { "rmdir", "rmdir PATH...: removes empty directories" },
    Command { "sched",
        "sched [-v] [nice PRIORITY | budget MS PERIOD-MS | deadline MS PERIOD-MS] PROGRAM "
        "[ARGUMENT...]: runs it so" },
    Command { "seq", "seq [FIRST [STEP]] LAST: numbers" },
    Command { "service", "service [start | stop | kill NAME]: what init runs" },
    Command { "sleep", "sleep SECONDS: waits" },
    Command { "sort", "sort [-nru] [FILE...]: lines in order" },
    Command { "stat", "stat PATH...: what is known of files" },
    Command { "sync", "sync [PATH...]: waits until what was written is on the disk" },
    Command { "tail", "tail [-n LINES | -c BYTES] [FILE...]: the end" },
    Command { "tee", "tee [-a] [FILE...]: standard input to files and on; -a: to their ends" },
    Command { "touch", "touch PATH...: makes files that are not there; others are modified now" },
    Command { "true", "true: succeeds" },
    Command { "truncate",
        "truncate -s SIZE PATH...: cuts files or grows them by a hole; SIZE may end in K, M, G or "
        "T" },
    Command { "uptime", "uptime: for how long the system has been up" },
    Command { "wc", "wc [-lwc] [FILE...]: counts lines, words and bytes" },
    Command { "yes", "yes [WORD...]: a line, for ever" },
} };

} // namespace gemel::tools
