// Threads that may wait, for a server whose main thread never does. What waits is a job; its result
// is a job of the main thread's.
#pragma once

#include "servers/rt/lock.hpp"

#include <deque>
#include <functional>
#include <string_view>

namespace gemel {

class Worker {
public:
    using Job = std::move_only_function<void()>;

    // `port` is signalled with `bit` when results are there.
    Worker(Handle const& port, u64 bit)
        : port_(port)
        , bit_(bit)
    {
    }
    // One thread more. The worker must outlive the task's threads.
    Result<void> start(std::string_view name, usize stack_bytes = 64 * 1024);

    // Main thread: jobs begin in this order.
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

} // namespace gemel
