// Where a thread is stopped inside its own code, counted in its edges (gemel/hosted/edges.hpp), and
// who runs instead. Each seed draws how far the stops lie apart: close ones try many orders of few
// instructions, far ones leave everything else as it was.
#pragma once

#include "sim/oracle/oracle.hpp"

namespace gemel::sim {

class Preemption {
public:
    static constexpr u32 threads_max = 1024;
    static constexpr u32 stops_max = 20'000; // of a run: then it goes on without

    explicit Preemption(u64 seed);

    // The first stop of `thread` behind its edge `done`; ~0: none. Asked with growing `done`.
    u64 next(u32 thread, u64 done);
    // `thread` was stopped at `edge`, and `count` others are ready: which of them runs.
    u32 pick(u32 thread, u64 edge, u32 count);
    void on(bool value) { on_ = value; }
    bool is_on() const { return on_ && stops_ < stops_max; }

private:
    struct Cursor {
        u64 stop = 0; // the last edge that was answered
        u64 drawn = 0;
    };

    u64 seed_;
    u32 bits_; // gaps lie below two to this
    bool on_ = false;
    u32 stops_ = 0;
    Cursor cursors_[threads_max] = {};
};

} // namespace gemel::sim
