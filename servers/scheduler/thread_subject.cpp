#include "servers/scheduler/thread_subject.hpp"

#include <vector>

namespace gemel::scheduler {

namespace {

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
Result<u64> ThreadSubject::run_ns()
{
    auto const seen = TRY(powers_.audit.thread(index_));
    TRY(thread_.inspect());
    if (seen.task != task_)
        return Error::not_found;
    return seen.run_ns;
}

Result<void> ThreadSubject::set_priority(u8 priority)
{
    return powers_.scheduling.thread_priority(thread_, priority);
}

Result<void> ThreadSubject::hold()
{
    constexpr u64 none = 0;
    return powers_.scheduling.thread_affinity(thread_, none);
}

Result<void> ThreadSubject::go_on()
{
    return powers_.scheduling.thread_affinity(thread_, SchedBroker::every_processor);
}

} // namespace gemel::scheduler
