// Processors that are host threads, one each (hosted::HostThreads::one_each). What they share with
// the machine of virtual processors is all but this: the lock around the kernel, a timer and a bell
// for each, and where one that has nothing to do sleeps. Start at call() and wait().
#pragma once

#include "core/sched/lock.hpp"
#include "entry_lock.hpp"
#include "processor.hpp"

#include <gemel/arch/machine.hpp>

#include <memory>
#include <pthread.h>
#include <span>

namespace gemel::arch {

class Processors {
public:
    // The calling host thread becomes number 0; `main` is what each of the others does, in the
    // kernel. Throws std::system_error when the host refuses.
    Processors(Machine& machine, u32 count, void (*main)());
    ~Processors();
    Processors(Processors const&) = delete;
    Processors& operator=(Processors const&) = delete;

    // The others begin. They end when the machine has ended; join() waits for that.
    void start();
    void join();

    // Around each stay in the kernel, whose own lock nobody waits for then.
    void take();
    void give();

    // The rest is done in the kernel, but where it says otherwise.

    // The processor comes into the kernel soon: at its next exit, out of its sleep, or out of a
    // task's code.
    void call(u32 number);
    // The same for all, to find that the machine has ended.
    void end();
    bool ended() const { return ended_; }

    // Sleeps, without the lock, until one of these has come; which one. Called by another, or the
    // end: interrupt_lines_max.
    u32 wait();
    // What has come meanwhile to a processor that is in the kernel; false: nothing (more).
    bool take_interrupt(u32& line);
    // The calling processor's timer: ticks at 100 Hz from now until it has slept past one.
    void wake_at(u64 nanoseconds);

    // In task code, or on the way there: it was called, and may not have heard it.
    bool was_called() const { return own().called.load(std::memory_order_relaxed); }
    // In the signal's handler.
    void ticked() { one().tick.store(true, std::memory_order_relaxed); }

private:
    struct One : Processor {
        Processors* all = nullptr;
        pthread_t thread {};
        int thread_id = 0; // Linux's, for signals
        bool* in_task = nullptr; // its gemel_in_task; null: it is not there
        std::atomic<bool> tick = false;
        bool asleep = false; // or about to: ring
        int bell = -1;
        void* timer = nullptr;
        bool timer_armed = false;
        u64 wake_ns = ~0ull;
    };

    static One& one() { return static_cast<One&>(own()); }
    static void* begin(void* one);
    void come_up(One& one);
    void sleep(One& one, u64 now);
    static void stop_timer(One& one);

    Machine& machine_;
    u32 const count_;
    void (*const main_)();
    std::unique_ptr<One[]> all_;
    EntryLock lock_;
    bool ended_ = false;
};

} // namespace gemel::arch
