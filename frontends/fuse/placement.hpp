// Where this thread runs: beside whoever asks. Waking a thread on another processor that idles
// costs tens of microseconds in a virtual machine, twice for each request; on the caller's own
// processor it is a switch. Only while requests are small, one after the other: large ones go on
// beside the caller's work.
#pragma once

#include "core/base/types.hpp"

#include <sched.h>
#include <sys/types.h>

#include <optional>

namespace gemel::fuse {

class Placement {
public:
    // Of the calling thread, whose processors stay what they are until requests say more.
    Placement();
    // Puts the thread back to where it may run.
    ~Placement();
    Placement(Placement const&) = delete;

    enum class Size : u8 { small, large };
    // A request of `caller` (a thread's number; 0: nobody) was taken.
    void note(pid_t caller, Size size);
    // Free again, for programs that are started from here.
    void release();

private:
    static constexpr u32 window_requests = 16;
    static constexpr u32 large_max = 2; // of a window, to stay beside the caller
    static constexpr u64 patience_ns = 5'000'000; // who waits longer may have moved

    void look(pid_t caller);

    cpu_set_t allowed_ {};
    std::optional<u32> beside_;
    u32 requests_ = 0;
    u32 large_ = 0;
    u64 looked_ns_ = 0;
};

// The processor that the thread last ran on; none: there is no such thread here.
std::optional<u32> processor_of(pid_t thread);

} // namespace gemel::fuse
