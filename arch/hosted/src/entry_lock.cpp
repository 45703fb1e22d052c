#include "entry_lock.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gemel::arch {

bool EntryLock::look_on()
{
    for (u32 look = 0; look < looks_max; ++look) {
        asm volatile("pause");
        auto expected = open;
        if (word_.load(std::memory_order_relaxed) == open
            && word_.compare_exchange_weak(expected, held, std::memory_order_acquire))
            return true;
    }
    return false;
}

// From here on the word says `awaited`: also by one that has the lock and leaves nobody behind,
// for it cannot know. futex(2) compares once more before it sleeps; a signal ends the sleep, too.
void EntryLock::take_slowly()
{
    if (look_on())
        return;
    while (word_.exchange(awaited, std::memory_order_acquire) != open)
        ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, awaited, nullptr, nullptr, 0);
}

void EntryLock::wake_one()
{
    ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

} // namespace gemel::arch
