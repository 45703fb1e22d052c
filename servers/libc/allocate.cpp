// malloc over the task's heap. operator new and delete are servers/rt's own.
#include "servers/rt/start.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

extern "C" {

void* malloc(gemel::usize bytes)
{
    return gemel::heap_allocate(bytes);
}

void free(void* block)
{
    gemel::heap_free(block);
}

void* calloc(gemel::usize count, gemel::usize bytes)
{
    gemel::usize total = 0;
    if (__builtin_mul_overflow(count, bytes, &total))
        return nullptr;
    void* const block = gemel::heap_allocate(total);
    if (block)
        std::memset(block, 0, total);
    return block;
}

void* realloc(void* block, gemel::usize bytes)
{
    if (!block)
        return gemel::heap_allocate(bytes);
    auto const usable = gemel::Heap::usable_bytes(block);
    if (bytes <= usable && bytes >= usable / 2)
        return block;
    void* const larger = gemel::heap_allocate(bytes);
    if (!larger)
        return nullptr;
    std::memcpy(larger, block, std::min(usable, bytes));
    gemel::heap_free(block);
    return larger;
}

void* aligned_alloc(gemel::usize alignment, gemel::usize bytes)
{
    return gemel::heap_allocate(bytes, alignment);
}

} // extern "C"
