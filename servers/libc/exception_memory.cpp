// Where thrown objects live. libstdc++'s own allocator takes 72 KiB from every program at its start
// for the day the heap is empty; here one slot that is always there is enough, because bad_alloc is
// caught by whoever serves the request and is thrown again by the next.
#include "servers/libc/exception_memory.hpp"

#include <cstdlib>
#include <cstring>
#include <exception>

namespace {

// libstdc++ keeps its header (128 bytes in GCC 12) directly below the object.
constexpr gemel::usize header_bytes = 256;
using gemel::libc::ExceptionReserve;
constinit ExceptionReserve* reserve = nullptr;

void* take(gemel::usize bytes)
{
    for (gemel::usize slot = 0; bytes <= reserve->slot_bytes && slot < reserve->slots; ++slot) {
        if (reserve->taken[slot].exchange(1) == 0)
            return reserve->memory[slot];
    }
    return nullptr;
}

bool give_back(void* block)
{
    auto const offset
        = static_cast<gemel::usize>(static_cast<unsigned char*>(block) - reserve->memory[0]);
    if (offset >= sizeof reserve->memory)
        return false;
    reserve->taken[offset / reserve->slot_bytes].store(0);
    return true;
}

void* allocate(gemel::usize bytes)
{
    void* block = std::malloc(bytes);
    if (!block)
        block = take(bytes);
    if (!block)
        std::terminate();
    std::memset(block, 0, bytes);
    return block;
}

void release(void* block)
{
    if (!give_back(block))
        std::free(block);
}

} // namespace

void gemel::libc::use_exception_reserve(ExceptionReserve& memory)
{
    reserve = &memory;
}

namespace __cxxabiv1 {

extern "C" {

void* __cxa_allocate_exception(gemel::usize bytes) noexcept
{
    return static_cast<unsigned char*>(allocate(header_bytes + bytes)) + header_bytes;
}

void __cxa_free_exception(void* object) noexcept
{
    release(static_cast<unsigned char*>(object) - header_bytes);
}

// Of std::rethrow_exception: only the header.
void* __cxa_allocate_dependent_exception() noexcept
{
    return allocate(header_bytes);
}

void __cxa_free_dependent_exception(void* header) noexcept
{
    release(header);
}

} // extern "C"

} // namespace __cxxabiv1
