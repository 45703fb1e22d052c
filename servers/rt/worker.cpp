#include "servers/rt/worker.hpp"

#include "servers/rt/thread.hpp"

namespace gemel {

Result<void> Worker::start(std::string_view name, usize stack_bytes)
{
    auto thread = TRY(spawn_thread(main, this, stack_bytes, name));
    thread.release(); // it lives as long as the task
    return {};
}

void Worker::post(Job job)
{
    auto jobs = jobs_.lock();
    jobs->push_back(std::move(job));
    job_there_.wake_one();
}

void Worker::hand_back(Job result)
{
    results_.lock()->push_back(std::move(result));
    (void)system::signal(port_.value(), bit_);
}

void Worker::run_results()
{
    auto results = std::exchange(*results_.lock(), {});
    for (auto& result : results)
        result();
}

Worker::Job Worker::next()
{
    auto jobs = jobs_.lock();
    while (jobs->empty())
        job_there_.wait(jobs);
    auto job = std::move(jobs->front());
    jobs->pop_front();
    return job;
}

void Worker::main(void* self)
{
    auto& worker = *static_cast<Worker*>(self);
    for (;;)
        worker.next()();
}

} // namespace gemel
