// The three functions that the compiler may call on its own in the resident kernel.
#include "core/base/types.hpp"

using gemel::usize;

extern "C" {

void* memcpy(void* to, void const* from, usize bytes)
{
    auto* next = to;
    asm volatile("rep movsb" : "+D"(next), "+S"(from), "+c"(bytes)::"memory");
    return to;
}

void* memset(void* to, int value, usize bytes)
{
    auto* next = to;
    asm volatile("rep stosb" : "+D"(next), "+c"(bytes) : "a"(value) : "memory");
    return to;
}

void* memmove(void* to, void const* from, usize bytes)
{
    if (to <= from)
        return memcpy(to, from, bytes);
    auto* next = static_cast<char*>(to) + bytes - 1;
    auto const* last = static_cast<char const*>(from) + bytes - 1;
    asm volatile("std\n rep movsb\n cld" : "+D"(next), "+S"(last), "+c"(bytes)::"memory");
    return to;
}
}
