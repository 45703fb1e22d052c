#include "entry_lock.hpp"

#include <climits>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gemel::arch {

namespace {

// Sleeps until somebody wakes it, if the word is `expected` still. A signal ends it, too.
void futex_wait(std::atomic<u32>& word, u32 expected)
{
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

} // namespace

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
// for it cannot know.
void EntryLock::take_slowly()
{
    if (look_on())
        return;
    for (u32 losses = 0; word_.exchange(awaited, std::memory_order_acquire) != open; ++losses) {
        if (losses >= losses_max)
            impatient_.store(true, std::memory_order_relaxed);
        futex_wait(word_, awaited);
        if (handed_.exchange(false, std::memory_order_acquire))
            return;
    }
}

bool EntryLock::wake_one()
{
    return ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0) == 1;
}

// The lock stays taken, for one that sleeps. If none does (yet), it is given as ever.
bool EntryLock::hand_over()
{
    impatient_.store(false, std::memory_order_relaxed);
    if (word_.load(std::memory_order_relaxed) != awaited)
        return false;
    handed_.store(true, std::memory_order_release);
    return wake_one() || !handed_.exchange(false, std::memory_order_acquire);
}

} // namespace gemel::arch
