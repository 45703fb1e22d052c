// The jail of the closed world: once it is closed, whatever would tell this process something that
// is no function of its inputs ends it with a report. System calls that memory needs stay possible.
#pragma once

#include "core/base/types.hpp"

#include <string>

namespace gemel::hosted {

struct JailOptions {
    static constexpr int writable_max = 3;
    int writable[writable_max]
        = { -1, -1, -1 }; // descriptors that may still be written, besides standard error
    // Told what was caught, from a signal handler; the process ends when it returns.
    void (*caught)(char const* what) = nullptr;
};

inline constexpr int jail_exit_status = 3;

struct Unjailed {
    std::string calls; // why system calls pass: then it is no jail; "": they are caught
    std::string instructions; // which ones this host cannot trap, or ""
};

// Irrevocable for the process. Answers what can still tell it something.
Unjailed close_jail(JailOptions const& options);

// For the fault handler: the instruction reads the clock or the processor's identity. Then it does
// not return.
void end_if_jail_trapped(void const* context);

// The words that the C library protects stacks and pointers with are random for each process and
// end up on tasks' stacks: from now on they are these. The caller's frame must never return through
// a protected one.
void fix_protector_words();

// The same for as long as this stands, in a function that itself is not protected.
class FixedProtectorWords {
public:
    FixedProtectorWords();
    ~FixedProtectorWords();
    FixedProtectorWords(FixedProtectorWords const&) = delete;
    FixedProtectorWords& operator=(FixedProtectorWords const&) = delete;

private:
    u64 before_[2];
};

} // namespace gemel::hosted
