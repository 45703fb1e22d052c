// What is said of a fault outside of tasks' code, which ends the process.
#pragma once

#include <csignal>
#include <sys/ucontext.h>

namespace gemel::arch {

// In the signal's handler, on the way to the end: the fault, whose turn it was, and the calls that
// led there as addr2line takes them, to standard error. A second fault amid this is the end.
void tell_of_fault(int signal, siginfo_t const& info, ucontext_t const& context);

} // namespace gemel::arch
