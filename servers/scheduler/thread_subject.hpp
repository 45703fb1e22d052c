// A thread in the kernel's hands: what a reservation does to it, by the brokers.
#pragma once

#include "servers/rt/broker.hpp"
#include "servers/scheduler/reservation.hpp"

namespace gemel::scheduler {

// What the scheduler may do. Its own thread runs on the first processor only.
struct Powers {
    SchedBroker scheduling;
    TaskBroker tasks; // to stop threads and run them again
    AuditBroker audit;
};

class ThreadSubject final : public Subject {
public:
    // not_found: the kernel shows no such thread.
    static Result<std::unique_ptr<ThreadSubject>> create(
        Powers const& powers, Handle thread, u8 priority);
    ThreadSubject(Powers const& powers, Handle thread, u32 index, u32 task)
        : powers_(powers)
        , thread_(std::move(thread))
        , index_(index)
        , task_(task)
    {
    }

    u32 index() const { return index_; }
    Result<Seen> look() override;
    Result<void> set_priority(u8 priority) override;
    Result<void> confine() override;
    Result<void> stop() override;
    Result<void> go_on() override;

private:
    Powers const& powers_;
    Handle thread_;
    u32 index_; // in the kernel's table
    u32 task_;
};

} // namespace gemel::scheduler
