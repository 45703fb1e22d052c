// The image of the storage is in a read-only segment (program.ld). ELF knows two ways to lay a
// thread's copy out: below the thread pointer, or above it behind two words.
#include "servers/libc/thread_local.hpp"

#include <gemel/arch/program.hpp>

#include <cstring>

extern "C" {

[[gnu::visibility("hidden")]] extern char const gemel_tls_image_begin[];
[[gnu::visibility("hidden")]] extern char const gemel_tls_image_end[];
[[gnu::visibility("hidden")]] extern gemel::usize const gemel_tls_bytes;

// Named by libraries that could be shared ones, too. In a static program the linker turns each call
// into the address itself, but wants a function that it might have called.
[[noreturn]] void* __tls_get_addr(void*)
{
    __builtin_trap();
}

} // extern "C"

namespace gemel::libc {

namespace {

usize storage_bytes()
{
    return align_up(gemel_tls_bytes, thread_local_alignment);
}

usize area_bytes()
{
    return storage_bytes() + thread_local_alignment;
}

void* prepare(void* area)
{
    auto* const begin = static_cast<std::byte*>(area);
    bool const above = arch::thread_local_above_pointer;
    auto* const storage = begin + (above ? thread_local_alignment : 0);
    auto* const control = begin + (above ? 0 : storage_bytes());
    static_assert(sizeof(ThreadControl) <= 2 * sizeof(u64));
    std::memset(begin, 0, area_bytes());
    std::memcpy(storage, gemel_tls_image_begin,
        static_cast<usize>(gemel_tls_image_end - gemel_tls_image_begin));
    return ::new (control) ThreadControl { .self = control };
}

} // namespace

ThreadArea thread_area()
{
    return { .bytes = area_bytes(), .prepare = prepare };
}

} // namespace gemel::libc
