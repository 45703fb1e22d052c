// A task of init's making: its end takes everything back that it was given.
#pragma once

#include "servers/rt/broker.hpp"

#include <optional>
#include <vector>

namespace gemel::init {

// init's own capabilities that making tasks needs.
struct TaskMakers {
    TaskBroker const& tasks;
    MemoryBroker const& memory;
};

// Fresh memory that is filled here and then belongs to a task.
class FreshRegion {
public:
    // Zeroed; 1 to region_pages_max pages of init's own quota.
    static Result<FreshRegion> create(u32 pages);
    FreshRegion(FreshRegion&& other) noexcept
        : address_(std::exchange(other.address_, 0))
        , pages_(other.pages_)
        , handle_(std::move(other.handle_))
    {
    }
    ~FreshRegion();

    std::byte* bytes() const { return reinterpret_cast<std::byte*>(address_); }
    // No longer seen here.
    Handle release();

private:
    FreshRegion(u64 address, u32 pages, Handle handle)
        : address_(address)
        , pages_(pages)
        , handle_(std::move(handle))
    {
    }
    u64 address_;
    u32 pages_;
    Handle handle_;
};

// Where a program's file was put; one that is linked into the hosted executable is nowhere.
struct ProgramPlace {
    u64 base = 0;
    u64 bytes = 0;
};

class Task {
public:
    // Errors: quota, no_memory.
    static Result<Task> create(
        TaskMakers const& makers, TaskQuota const& quota, std::string_view name);
    Task(Task&& other) noexcept = default;
    Task& operator=(Task&&) = delete;
    // Stops it, takes it apart in bounded steps and frees its memory.
    ~Task();

    u32 id() const { return id_; }
    // As capabilities to it say (CapabilityInfo::object).
    bool is(u64 object) const;
    u64 begin() const { return begin_; }
    u64 end() const { return end_; }
    void holds_program(ProgramPlace const& place) { program_ = place; }
    // What an address of the program's is in its file, as its symbols have it.
    std::optional<u64> in_file(u64 address) const
    {
        auto const offset = address - program_.base;
        return offset < program_.bytes ? std::optional(offset) : std::nullopt;
    }

    // The region is the task's: it ends with it.
    Result<void> map(u64 address, Handle region, u16 access);
    // Somebody else's region, which outlives the task.
    Result<void> map_shared(u64 address, Handle const& region, u16 access);
    // The capability changes hands; its handle there.
    Result<u64> give(Handle capability);
    // A capability to itself, with which others may give it memory.
    Result<u64> give_itself();
    // The first thread, stopped. Faults and the exit call `fault_port`, which the task keeps.
    Result<void> set_thread(TaskBroker::ThreadStart const& start, Handle fault_port);
    Result<void> run();
    Handle const& thread() const { return thread_; }

private:
    Task(TaskMakers const& makers, Handle handle)
        : makers_(makers)
        , handle_(std::move(handle))
    {
    }
    TaskMakers makers_;
    Handle handle_;
    Handle thread_;
    Handle fault_port_;
    std::vector<Handle> regions_;
    u32 id_ = 0;
    u64 begin_ = 0;
    u64 end_ = 0;
    ProgramPlace program_;
};

} // namespace gemel::init
