// What is around the machine and no function of it: time, chance, and the instants at which things
// happen. A machine without a world asks Linux. With one (the simulator's, or a recording) nothing
// happens by itself: every instant is a kernel entry, so that a run is a function of the answers.
#pragma once

#include "core/base/types.hpp"

#include <gemel/hosted/edges.hpp>
#include <gemel/hosted/site.hpp>

#include <string>

namespace gemel {
class Kernel;
struct Thread;
} // namespace gemel

namespace gemel::hosted {

// What the host thread did when the tick came.
enum class TickPlace : u8 { kernel, task_code };

// What becomes of a thread that enters the kernel.
enum class Fate : u8 { goes_on, faults };

class World {
public:
    virtual ~World() = default;

    // Linux's timer and descriptors are behind this world: it hears of ticks (ticked) and has the
    // machine wait for Linux (Machine::sleep).
    virtual bool live() const noexcept { return false; }
    // The timer's signal has come, in whatever code. True: it preempts task code where it stands;
    // otherwise this world lets the tick arrive at a kernel entry.
    virtual bool ticked(TickPlace) noexcept { return false; }

    virtual u64 now_ns() noexcept = 0; // since boot
    virtual u64 entropy() noexcept = 0;
    // No thread is ready. Returns when a line was raised or the time moved on to `wake_ns` (~0: the
    // kernel waits for lines alone).
    virtual void idle(u64 wake_ns) noexcept = 0;

    // `thread` calls the kernel; its registers are in its frame. One that faults never makes its
    // call.
    virtual Fate entering(Thread& thread) = 0;
    // The kernel has answered. The world may raise lines and let the tick arrive.
    virtual void leaving(Kernel& kernel) = 0;
    // Every interrupt was delivered: the world may choose another ready thread (hosted::Inspector).
    virtual void choosing(Kernel& kernel) = 0;
    // Three questions of a build that counts edges (edges.hpp). `thread` goes on: for how many
    // edges? It is stopped at the one after them.
    virtual i64 edges_ahead(Thread const&) { return edges_unlimited; }
    // `thread`, which enters the kernel or was stopped, made that many edges since.
    virtual void computed(Thread const&, u64) { }
    // It was stopped at `place` (bytes from the executable's start), between two instructions.
    // True: the tick comes there. False: it goes on.
    virtual bool preempts(Thread&, [[maybe_unused]] u64 place) { return false; }
    // A line, or the tick, reaches the kernel.
    virtual void interrupted(u32 line) noexcept = 0;
    // A device raises a line. False: not now; the world will (Machine::raise again).
    virtual bool raises(u32 line) noexcept = 0;
    // Code of `thread` faulted by itself (not by Fate::faults), and where no pager's memory is.
    virtual void faulted(Thread& thread, u64 address) = 0;
    // Code of `thread` touched what its pager may have for it: the kernel is entered as by a call.
    virtual void touched(Thread&) { }
    // An assertion failed or the host's own code faulted: the process is about to end.
    virtual void broke(char const* what) noexcept = 0;

    // ThreadSanitizer's build: two threads reached the same memory, one of them to change it, with
    // nothing between them. `thread` is the second, at its next kernel entry.
    virtual void raced(std::string const&, Thread const&) { }

    // A site was reached (site.hpp). For a fault: whether it happens.
    virtual bool reached(Site const& site) = 0;
};

} // namespace gemel::hosted
