#include "servers/scheduler/thread_subject.hpp"

#include <map>

namespace gemel::scheduler {

namespace {

constexpr u64 own_processor = 1; // the first
constexpr u8 state_ready = 1; // core/object/thread.hpp ThreadState
constexpr u32 indices_max = 65'536; // the kernel's table is shorter

// Every thread's task and priority, by its index.
Result<std::map<u32, AuditBroker::Thread>> all_threads(AuditBroker const& audit)
{
    std::map<u32, AuditBroker::Thread> all;
    auto const count = TRY(audit.totals()).threads;
    for (u32 index = 0; index < indices_max && all.size() < count; ++index) {
        auto thread = audit.thread(index);
        if (thread)
            all.emplace(index, std::move(*thread));
        else if (thread.error() != Error::not_found)
            break;
    }
    return all;
}

} // namespace

// A capability does not say which row of the audit is its thread's; only the scheduler changes
// priorities, so the one that follows two changes is it.
Result<std::unique_ptr<ThreadSubject>> ThreadSubject::create(
    Powers const& powers, Handle thread, u8 priority)
{
    auto const other = static_cast<u8>(priority ^ 1);
    TRY(powers.scheduling.thread_priority(thread, other));
    auto const before = TRY(all_threads(powers.audit));
    TRY(powers.scheduling.thread_priority(thread, priority));
    auto const after = TRY(all_threads(powers.audit));
    for (auto const& [index, seen] : after) {
        auto const then = before.find(index);
        if (then != before.end() && then->second.priority == other && seen.priority == priority)
            return std::make_unique<ThreadSubject>(powers, std::move(thread), index, seen.task);
    }
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
