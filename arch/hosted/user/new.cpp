// operator new and delete of the one process: task code gets its task's heap, everything else (the
// kernel, the front end) the host's. Which of the two a block came from is told by its address.
#include "servers/rt/start.hpp"

#include <gemel/arch/user.hpp>
#include <gemel/hosted/heap_fill.hpp>

#include <cstdlib>
#include <cstring>
#include <new>

namespace {

using gemel::u64;
using gemel::usize;

// Task windows (arch/hosted/include/gemel/arch/machine.hpp) and what lies clear of them.
constexpr u64 windows_begin = 0x2000'0000'0000;
constexpr u64 windows_end = 0x3000'0000'0000;

bool task_code()
{
    return gemel::hosted::in_task() && gemel::self();
}

bool in_task_window(void const* block)
{
    auto const address = reinterpret_cast<u64>(block);
    return address >= windows_begin && address < windows_end;
}

void* allocate(usize bytes, usize alignment)
{
    void* block = nullptr;
    if (task_code()) {
        block = gemel::heap_allocate(bytes, alignment);
        if (block && gemel::hosted::fresh_memory_fill && gemel::hosted::fresh_memory_fill() != 0)
            std::memset(block, gemel::hosted::fresh_memory_fill(), bytes);
    } else if (alignment <= gemel::Heap::alignment)
        block = std::malloc(bytes ? bytes : 1);
    else
        block = std::aligned_alloc(alignment, gemel::align_up(bytes, alignment));
    if (!block)
        throw std::bad_alloc();
    return block;
}

// What a task left behind goes with its regions.
void release(void* block)
{
    if (!in_task_window(block))
        std::free(block);
    else if (task_code())
        gemel::heap_free(block);
}

} // namespace

void* operator new(std::size_t bytes)
{
    return allocate(bytes, gemel::Heap::alignment);
}

void* operator new(std::size_t bytes, std::align_val_t alignment)
{
    return allocate(bytes, static_cast<usize>(alignment));
}

// The library's other forms lead to the two above; a sanitizer's own do not, so all are here.
void* operator new[](std::size_t bytes)
{
    return allocate(bytes, gemel::Heap::alignment);
}

void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept
{
    try {
        return allocate(bytes, gemel::Heap::alignment);
    } catch (std::bad_alloc const&) {
        return nullptr;
    }
}

void operator delete[](void* block) noexcept
{
    release(block);
}

void operator delete[](void* block, std::size_t) noexcept
{
    release(block);
}

void operator delete(void* block, std::nothrow_t const&) noexcept
{
    release(block);
}

void operator delete(void* block) noexcept
{
    release(block);
}

void operator delete(void* block, std::size_t) noexcept
{
    release(block);
}

void operator delete(void* block, std::align_val_t) noexcept
{
    release(block);
}

void operator delete(void* block, std::size_t, std::align_val_t) noexcept
{
    release(block);
}
