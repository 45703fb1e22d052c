// Where this thread runs, and how it waits for the next request. Each request is two hand-overs
// between the caller and this thread. On one processor a hand-over is a switch; between two of
// which one sleeps it is an interrupt and a waking, up to tens of microseconds in a virtual
// machine. The host decides where a woken thread runs, and takes an idle processor if there is one.
// So there are two ways (wait_choice.hpp): where nothing idles, the thread is kept on the caller's
// processor; where something does, it looks for the next request for a moment before it sleeps, and
// the caller's half of the hand-overs wakes nobody. Large requests go on beside the caller's work,
// wherever that is.
#pragma once

#include "frontends/fuse/wait_choice.hpp"

#include <sched.h>
#include <sys/types.h>

#include <optional>

namespace gemel::fuse {

class Placement {
public:
    using Clock = u64 (*)(); // monotonic, nanoseconds
    static u64 monotonic_ns();

    // Of the calling thread, whose processors stay what they are until requests say more.
    explicit Placement(Clock clock = monotonic_ns);
    // Puts the thread back to where it may run.
    ~Placement();
    Placement(Placement const&) = delete;

    static constexpr u64 look_ns = 50'000; // at most, before sleeping
    static constexpr u32 looks_left_out_max = 64;

    enum class Size : u8 { small, large };
    // There is nothing to do from now on. True: look for a request before sleeping.
    bool waits();
    // Whether to look on: false as soon as it was in vain.
    bool looks_on();
    // A request of `caller` (a thread's number; 0: nobody) was taken.
    void note(pid_t caller, Size size);
    // Free again, for programs that are started from here.
    void release();

private:
    static constexpr u32 window_requests = 16;
    static constexpr u32 large_max = 2; // of a window, to stay beside the caller
    static constexpr u64 patience_ns = 5'000'000; // who waits longer may have moved

    void count_wait(u64 now);
    void go_beside(pid_t caller);

    Clock clock_;
    cpu_set_t allowed_ {};
    bool has_choice_ = false; // of processors
    std::optional<u32> beside_;
    WaitChoice choice_;
    u32 requests_ = 0;
    u32 large_ = 0;
    u64 placed_ns_ = 0;
    std::optional<u64> waiting_since_ns_;
    // After looking in vain some waits go without, ever more if it is in vain again.
    u32 leave_out_ = 0;
    u32 still_left_out_ = 0;
};

// The processor that the thread last ran on; none: there is no such thread here.
std::optional<u32> processor_of(pid_t thread);

} // namespace gemel::fuse
