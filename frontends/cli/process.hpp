// Other programs of the host: started with an argument list, never through a shell.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace gemel::cli {

// Starts a program with this process's standard input; its standard output goes to the descriptor
// `output`, its standard error to `errors` (2: this process's own). The process id, or -1 with
// errno.
pid_t start_program(std::vector<std::string> const& words, int output, int errors = 2);

// Waits until it ends: its exit status, or 128 + the number of the signal that ended it.
int wait_for(pid_t process);

// Both, with this process's own standard output. 127 if it cannot be started.
int run_program(std::vector<std::string> const& words);

// The words that start the same program so that it gets SIGTERM when this process ends, however
// that is (setpriv of util-linux; without it the words as they are).
std::vector<std::string> ending_with_us(std::vector<std::string> words);

// The program's whole path on PATH, or an empty string.
std::string find_program(std::string const& name);

} // namespace gemel::cli
