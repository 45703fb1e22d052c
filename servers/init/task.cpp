#include "servers/init/task.hpp"

#include "servers/rt/thread.hpp"

namespace gemel::init {

Result<FreshRegion> FreshRegion::create(u32 pages)
{
    auto const mapping = TRY(self()->task->regions.allocate_anywhere(pages * page_bytes));
    return FreshRegion(mapping.address, pages, Handle(mapping.region));
}

FreshRegion::~FreshRegion()
{
    if (address_ == 0)
        return;
    auto handle = release();
    (void)handle.destroy();
}

Handle FreshRegion::release()
{
    self()->task->regions.unmap(std::exchange(address_, 0), pages_ * page_bytes);
    return std::move(handle_);
}

Result<Task> Task::create(TaskMakers const& makers, TaskQuota const& quota, std::string_view name)
{
    auto const words = system::name_words(name);
    auto const made = TRY(system::broker(makers.tasks.handle().value(), Operation::task_new,
        { quota.pages, quota.rows, quota.threads, words[0], words[1] }));
    Task task(makers, Handle(made[0]));
    task.id_ = static_cast<u32>(made[1]);
    task.begin_ = made[2];
    task.end_ = made[3];
    return task;
}

Task::~Task()
{
    if (!handle_)
        return;
    // The capability must survive the task's end, because reaping asks for it.
    (void)system::cap_move(handle_.value(), 0, CapOperation::destroy);
    for (u64 cursor = 0;;) {
        auto const next = makers_.tasks.task_reap(handle_, cursor);
        if (!next || *next == 0)
            break;
        cursor = *next;
    }
    for (auto& region : regions_)
        (void)region.destroy();
}

Result<void> Task::map(u64 address, Handle region, u16 access)
{
    regions_.push_back(std::move(region));
    return makers_.memory.map(handle_, regions_.back(), address, access);
}

Result<void> Task::map_shared(u64 address, Handle const& region, u16 access)
{
    return makers_.memory.map(handle_, region, address, access);
}

Result<u64> Task::give(Handle capability)
{
    return capability.move_to(handle_);
}

bool Task::is(u64 object) const
{
    auto const info = handle_.inspect();
    return info && info->object == object;
}

Result<u64> Task::give_itself()
{
    return give(TRY(handle_.derive(Right::grant | Right::derive)));
}

Result<void> Task::set_thread(TaskBroker::ThreadStart const& start, Handle fault_port)
{
    fault_port_ = std::move(fault_port);
    thread_ = TRY(makers_.tasks.thread_new(handle_, start, fault_port_));
    return {};
}

Result<void> Task::run()
{
    return makers_.tasks.thread_run(thread_);
}

} // namespace gemel::init
