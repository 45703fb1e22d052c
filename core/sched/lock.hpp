// The one lock: every kernel entry takes it and every exit gives it back, in the order of arrival.
#pragma once

#include "core/base/types.hpp"

namespace gemel {

class TicketLock {
public:
    // `waiting` is called between two looks: a processor that waits for the lock must still do what
    // the one that holds it asks of it.
    template <typename Waiting>
    void take(Waiting&& waiting)
    {
        auto const ticket = __atomic_fetch_add(&next_, 1, __ATOMIC_RELAXED);
        while (__atomic_load_n(&serving_, __ATOMIC_ACQUIRE) != ticket)
            waiting();
    }
    void give() { __atomic_store_n(&serving_, serving_ + 1, __ATOMIC_RELEASE); }

private:
    u32 next_ = 0;
    u32 serving_ = 0;
};

} // namespace gemel
