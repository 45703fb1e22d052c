// The locks that libgcc and libstdc++ take: around the emergency exception pool and the
// registration of frame tables. They are held for a few instructions, so who waits yields.
#include "core/base/types.hpp"
#include "servers/rt/system.hpp"

#include <atomic>
#include <cxxabi.h>
#include <pthread.h>

namespace {

std::atomic_ref<int> word_of(pthread_mutex_t* mutex)
{
    return std::atomic_ref<int>(*reinterpret_cast<int*>(mutex));
}

enum Guard : gemel::u8 { fresh = 0, done = 1, running = 2 };

} // namespace

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept
{
    while (word_of(mutex).exchange(1, std::memory_order_acquire) != 0)
        gemel::system::sched_yield();
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept
{
    word_of(mutex).store(0, std::memory_order_release);
    return 0;
}

// libgcc names it for the case that there are threads of the C library's. Were it missing, a
// position-independent program would need a table of linkage for the call.
int pthread_once(pthread_once_t* control, void (*routine)())
{
    std::atomic_ref<int> state(*control);
    int expected = fresh;
    if (state.compare_exchange_strong(expected, running)) {
        routine();
        state.store(done);
    }
    while (state.load() != done)
        gemel::system::sched_yield();
    return 0;
}

} // extern "C"

// Function-local statics: there are none in our code, but libraries have them. The ABI reads the
// guard's first byte inline (1: initialised); the second says that somebody is at it.
namespace __cxxabiv1 {

extern "C" {

int __cxa_guard_acquire(__guard* guard) noexcept
{
    auto* const bytes = reinterpret_cast<gemel::u8*>(guard);
    std::atomic_ref<gemel::u8> initialised(bytes[0]);
    std::atomic_ref<gemel::u8> busy(bytes[1]);
    for (;;) {
        if (initialised.load() == done)
            return 0;
        if (busy.exchange(running) == fresh)
            break;
        gemel::system::sched_yield();
    }
    if (initialised.load() == fresh)
        return 1;
    busy.store(fresh);
    return 0;
}

void __cxa_guard_release(__guard* guard) noexcept
{
    auto* const bytes = reinterpret_cast<gemel::u8*>(guard);
    std::atomic_ref<gemel::u8>(bytes[0]).store(done);
    std::atomic_ref<gemel::u8>(bytes[1]).store(fresh);
}

void __cxa_guard_abort(__guard* guard) noexcept
{
    std::atomic_ref<gemel::u8>(reinterpret_cast<gemel::u8*>(guard)[1]).store(fresh);
}

} // extern "C"

} // namespace __cxxabiv1
