// All reservations, and who of them comes first: the earliest deadline.
#pragma once

#include "servers/rt/rt.hpp"
#include "servers/scheduler/thread_subject.hpp"

#include <vector>

namespace gemel::scheduler {

inline constexpr usize reservations_max = 64;

class ReservedThread;

class Reservations {
public:
    explicit Reservations(Powers powers)
        : powers_(std::move(powers))
    {
    }

    // Errors: see protocol::Scheduler::Reserve.
    Result<Handle> reserve(ObjectServer& server, Terms const& terms, Handle thread);
    // Every book up to now, the earliest deadline first, and jobs begun whose period has.
    void advance(u64 now);
    // When to be called again.
    std::optional<u64> next_ns(u64 now) const;

private:
    friend class ReservedThread;
    bool admits(Terms const& terms) const;

    Powers powers_;
    std::vector<ReservedThread*> all_;
};

} // namespace gemel::scheduler
