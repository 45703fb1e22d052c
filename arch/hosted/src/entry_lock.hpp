// The lock that processors take which are host threads, around each stay in the kernel
// (docs/decisions/0027). Who finds it taken looks on for a moment and then sleeps: the host may
// have halted whoever holds it. It goes to whoever is there; but one that was woken for nothing too
// often is handed the lock while it still sleeps.
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
        if (impatient_.load(std::memory_order_relaxed)) [[unlikely]]
            if (hand_over())
                return;
        if (word_.exchange(open, std::memory_order_release) == awaited) [[unlikely]]
            static_cast<void>(wake_one());
    }

private:
    static constexpr u32 open = 0;
    static constexpr u32 held = 1;
    static constexpr u32 awaited = 2; // held, and somebody may sleep until it is given
    static constexpr u32 looks_max = 100; // some microseconds
    static constexpr u32 losses_max = 4; // times that one is woken for nothing

    void take_slowly();
    bool look_on();
    bool hand_over();
    bool wake_one();

    std::atomic<u32> word_ = open;
    std::atomic<bool> impatient_ = false; // the next one to give it shall hand it over
    std::atomic<bool> handed_ = false; // it is taken, for whoever wakes next
};

} // namespace gemel::arch
