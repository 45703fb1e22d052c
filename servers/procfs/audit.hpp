// What procfs asks of the system: the kernel's own rows, as the AUDIT broker shows them. Tests
// bring their own.
#pragma once

#include "servers/rt/broker.hpp"

namespace gemel::procfs {

// Indices beyond these name nothing (the kernel's tables).
inline constexpr u32 task_index_end = 256;
inline constexpr u32 thread_index_end = 1024;

class Audit {
public:
    virtual ~Audit() = default;
    // not_found: nothing has that index. A free row has owner 0.
    virtual Result<AuditBroker::Row> row(u32 index) = 0;
    virtual Result<AuditBroker::Thread> thread(u32 index) = 0;
    virtual Result<AuditBroker::Task> task(u32 index) = 0;
    virtual Result<AuditBroker::Totals> totals() = 0;
    virtual u64 now_ns() = 0; // since boot
};

} // namespace gemel::procfs
