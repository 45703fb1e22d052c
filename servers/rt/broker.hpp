// The brokers as classes: each owns its capability. Errors are the kernel's own.
#pragma once

#include "servers/rt/handle.hpp"
#include "servers/rt/system.hpp"

#include <string>
#include <string_view>

namespace gemel {

class BrokerClient {
public:
    BrokerClient() = default;
    explicit BrokerClient(Handle handle)
        : handle_(std::move(handle))
    {
    }
    explicit operator bool() const { return static_cast<bool>(handle_); }
    Handle const& handle() const { return handle_; }
    // A capability for `count` operations from `first`, whose narrowed argument lies in
    // [argument_first, argument_first + arguments); 0 arguments: all. Only ever less than this
    // one's.
    Result<Handle> narrowed(
        Operation first, unsigned count, u32 argument_first = 0, u32 arguments = 0) const;

protected:
    Result<system::Words> run(Operation operation, system::Words const& arguments) const
    {
        return system::broker(handle_.value(), operation, arguments);
    }

private:
    Handle handle_;
};

// How much a new task may have; taken from the caller's own.
struct TaskQuota {
    u32 pages = 0;
    u32 rows = 0;
    u32 threads = 0;
};

class TaskBroker : public BrokerClient {
public:
    using BrokerClient::BrokerClient;
    struct ThreadStart {
        u64 entry = 0;
        u64 stack_top = 0;
        u64 argument = 0;
        unsigned priority = 0; // 0 idle to 7 first
    };
    Result<Handle> task_new(TaskQuota const& quota, std::string_view name) const;
    // Stopped. `fault_port` may be empty.
    Result<Handle> thread_new(
        Handle const& task, ThreadStart const& start, Handle const& fault_port) const;
    Result<void> thread_run(Handle const& thread) const;
    Result<void> thread_stop(Handle const& thread) const;
    Result<u64> thread_get(Handle const& thread, unsigned index) const;
    Result<void> thread_set(Handle const& thread, unsigned index, u64 value) const;
    enum class Foreign : u8 { off, on };
    Result<void> thread_foreign(Handle const& thread, Foreign foreign) const;
    // One bounded step; the next cursor, 0 when done.
    Result<u64> task_reap(Handle const& task, u64 cursor) const;
};

class MemoryBroker : public BrokerClient {
public:
    using BrokerClient::BrokerClient;
    Result<void> map(Handle const& task, Handle const& region, u64 address, u16 flags) const;
    Result<void> unmap(Handle const& task, u64 address) const;
    Result<void> protect(Handle const& region, u32 first_page, u32 pages, u16 flags) const;
    Result<void> fill(Handle const& to, u32 to_page, Handle const& from, u32 from_page) const;
};

class PhysBroker : public BrokerClient {
public:
    using BrokerClient::BrokerClient;
    Result<Handle> region_physical(u64 first_page, u32 pages, u16 flags) const;
    Result<u64> region_address(Handle const& region, u32 page) const;
};

class IrqBroker : public BrokerClient {
public:
    using BrokerClient::BrokerClient;
    struct Msi {
        u64 address = 0;
        u32 data = 0;
        u32 line = 0;
    };
    Result<void> bind(u32 line, Handle const& port, u64 bits) const;
    Result<void> acknowledge(u32 line) const;
    Result<Msi> msi_allocate(u32 first_line, Handle const& port, u64 bits) const;
};

class PioBroker : public BrokerClient {
public:
    using BrokerClient::BrokerClient;
    // `bytes` 1, 2 or 4.
    Result<u32> read(u32 port, u32 bytes) const;
    Result<void> write(u32 port, u32 bytes, u32 value) const;
};

class SchedBroker : public BrokerClient {
public:
    using BrokerClient::BrokerClient;
    Result<void> scheduler_register(Handle const& port, u64 bits) const;
    Result<void> thread_priority(Handle const& thread, unsigned priority) const;
    // Bit n: processor n; those that are not there do not count.
    static constexpr u64 every_processor = ~u64 { 0 };
    Result<void> thread_affinity(Handle const& thread, u64 processors) const;
};

class AuditBroker : public BrokerClient {
public:
    using BrokerClient::BrokerClient;
    struct Row {
        u32 owner = 0; // task index, 0: free row
        ObjectType type = ObjectType::none;
        Rights rights = 0;
        u32 depth = 0;
        u32 children = 0;
        u64 badge = 0;
        u64 object = 0;
        u64 parent = 0;
        u64 generation = 0;
    };
    struct Thread {
        u32 task = 0;
        u8 state = 0; // core/object/thread.hpp ThreadState
        u8 priority = 0;
        std::string name;
        u64 run_ns = 0;
        u64 waits_on = 0;
    };
    struct Task {
        u32 pages_left = 0;
        u32 rows_left = 0;
        std::string name;
        u32 threads = 0;
        bool dead = false;
        u32 pages_quota = 0;
    };
    struct Totals {
        u64 pages = 0;
        u64 pages_free = 0;
        u64 rows = 0;
        u64 rows_free = 0;
        u32 threads = 0;
        u32 tasks = 0;
        u64 calls = 0;
    };
    struct Port {
        u32 owner = 0;
        u32 ring_count = 0;
        u32 waiting_receivers = 0;
        u32 queued_callers = 0;
        u64 notification = 0;
    };
    // not_found: no row, thread or task has that index now; invalid: beyond the table.
    Result<Row> row(u32 index) const;
    Result<Thread> thread(u32 index) const;
    Result<Task> task(u32 index) const;
    Result<Totals> totals() const;
    Result<Port> port(u64 object) const;
};

class MachineBroker : public BrokerClient {
public:
    using BrokerClient::BrokerClient;
    Result<void> power_off(u8 status) const;
    Result<u64> entropy() const;
};

} // namespace gemel
