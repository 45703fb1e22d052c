// What a run has shown of the system's behaviour: which step of a task followed which, by what was
// asked and answered, who met whom at a port, and which faults came where. Each is counted in one
// of a fixed number of places, so that it costs a few nanoseconds at a kernel entry. Tasks by name
// and calls by operation, without addresses: alike in every build.
#pragma once

#include "core/object/thread.hpp"

#include <vector>

namespace gemel::sim {

// One thing that was covered.
struct CoveredPoint {
    u32 number = 0; // below Coverage::points_max
    u32 event = 0; // of the run, at which it came to be
};

class Coverage {
public:
    static constexpr u32 places = 1u << 15;
    // How often, in steps that grow: a loop that goes round once more is the same, one that goes
    // round twice as often is not.
    static constexpr u32 classes = 8;
    static constexpr u32 points_max = places * classes;

    // `thread` calls the kernel, by whatever name its task and it have. `number`: the call and its
    // flags; `asked`: the operation, or what else says what it wants; `object`: that it is about,
    // 0 none. `event` counts the run's.
    void entered(Thread const& thread, u16 number, u32 asked, u64 object, u64 event);
    // It goes on, with this status.
    void resumed(u32 thread, u64 status);
    // A fault happened or a site was reached while `thread` stood where it last entered.
    void met(u32 thread, u32 kind, u32 which);
    // The machine is switched on again: threads and objects are others.
    void next_boot();

    // What was covered, in ascending order.
    std::vector<CoveredPoint> points() const;

private:
    struct Visit {
        u64 object = 0;
        u64 step = 0;
        u32 thread = 0;
    };
    static constexpr u32 visits_kept = 1024;

    void count(u64 what);

    u64 steps_[threads_max] = {}; // the last of each thread, with its result
    Visit visits_[visits_kept] = {}; // the last of each object
    u8 counts_[places] = {};
    u32 events_[places] = {}; // when each came into the class of its count
    u32 event_ = 0; // the one of the entry that is made
};

} // namespace gemel::sim
