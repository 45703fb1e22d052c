// The thread that may wait. init's main thread answers faults and exits, so it never calls another
// server: a server that faults while init waits for it would wait for init. Such calls are jobs of
// the worker, each bounded by a deadline; their results come back to the main thread.
#pragma once

#include "servers/rt/lock.hpp"

#include <deque>
#include <functional>

namespace gemel::init {

inline constexpr u64 worker_call_ms = 5000;

class Worker {
public:
    using Job = std::move_only_function<void()>;

    // `port` is signalled with `bit` when results are there.
    Worker(Handle const& port, u64 bit)
        : port_(port)
        , bit_(bit)
    {
    }
    // The worker must outlive the task's threads.
    Result<void> start();

    // Main thread: jobs run in this order.
    void post(Job job);
    // A job: `result` runs on the main thread.
    void hand_back(Job result);
    // Main thread, after the signal.
    void run_results();

private:
    static void main(void* self);
    Job next();

    Handle const& port_;
    u64 bit_;
    Guarded<std::deque<Job>> jobs_;
    Condition job_there_;
    Guarded<std::deque<Job>> results_;
};

} // namespace gemel::init
