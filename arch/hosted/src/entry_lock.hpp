// The lock that processors take which are host threads, around each stay in the kernel
// (docs/decisions/0027). Who finds it taken looks on for a moment and then sleeps: the host may
// have halted whoever holds it. It goes to whoever is there, and one that was woken comes soon.
#pragma once

#include "core/base/types.hpp"

#include <atomic>

namespace gemel::arch {

class EntryLock {
public:
    void take()
    {
        auto expected = open;
        if (!word_.compare_exchange_strong(expected, held, std::memory_order_acquire)) [[unlikely]]
            take_slowly();
    }
    void give()
    {
        if (word_.exchange(open, std::memory_order_release) == awaited) [[unlikely]]
            wake_one();
    }

private:
    static constexpr u32 open = 0;
    static constexpr u32 held = 1;
    static constexpr u32 awaited = 2; // held, and somebody may sleep until it is given
    static constexpr u32 looks_max = 100; // some microseconds

    bool look_on();
    void take_slowly();
    void wake_one();

    std::atomic<u32> word_ = open;
};

} // namespace gemel::arch
