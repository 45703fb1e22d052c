#include "servers/scheduler/thread_subject.hpp"

#include <vector>

namespace gemel::scheduler {

namespace {

constexpr u64 own_processor = 1; // the first
constexpr u8 state_ready = 1; // core/object/thread.hpp ThreadState
constexpr u32 indices_max = 65'536; // the kernel's table is shorter

// The threads with that priority, by their index. All rows are looked at: threads come and go
// meanwhile on other processors, so their number says nothing.
Result<std::vector<u32>> threads_at(AuditBroker const& audit, u8 priority)
{
    std::vector<u32> found;
    for (u32 index = 0; index < indices_max; ++index) {
        auto const thread = audit.thread(index);
        if (thread && thread->priority == priority)
            found.push_back(index);
        else if (!thread && thread.error() == Error::invalid) // the table's end
            break;
        else if (!thread && thread.error() != Error::not_found)
            return thread.error();
    }
    return found;
}

} // namespace

// A capability does not say which row of the audit is its thread's; only the scheduler changes
// priorities, so the one that follows two changes is it.
Result<std::unique_ptr<ThreadSubject>> ThreadSubject::create(
    Powers const& powers, Handle thread, u8 priority)
{
    auto const other = static_cast<u8>(priority ^ 1);
    TRY(powers.scheduling.thread_priority(thread, other));
    auto const candidates = TRY(threads_at(powers.audit, other));
    TRY(powers.scheduling.thread_priority(thread, priority));
    for (auto const index : candidates)
        if (auto const seen = powers.audit.thread(index); seen && seen->priority == priority)
            return std::make_unique<ThreadSubject>(powers, std::move(thread), index, seen->task);
    return Error::not_found;
}

// The index may be another thread's by now, unless the capability still leads somewhere.
Result<Subject::Seen> ThreadSubject::look()
{
    auto const seen = TRY(powers_.audit.thread(index_));
    TRY(thread_.inspect());
    if (seen.task != task_)
        return Error::not_found;
    return Seen { seen.run_ns, seen.state == state_ready };
}

Result<void> ThreadSubject::set_priority(u8 priority)
{
    return powers_.scheduling.thread_priority(thread_, priority);
}

Result<void> ThreadSubject::confine()
{
    return powers_.scheduling.thread_affinity(thread_, own_processor);
}

Result<void> ThreadSubject::stop()
{
    return powers_.tasks.thread_stop(thread_);
}

Result<void> ThreadSubject::go_on()
{
    TRY(powers_.scheduling.thread_affinity(thread_, SchedBroker::every_processor));
    auto const ran = powers_.tasks.thread_run(thread_);
    return ran || ran.error() == Error::not_runnable ? Result<void>() : ran; // it was not stopped
}

} // namespace gemel::scheduler
