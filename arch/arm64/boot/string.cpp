// The C library's part that libfdt asks for; boot only. Compiled so that the loops stay loops.
#include "core/base/types.hpp"

using gemel::u64;
using gemel::u8;
using gemel::usize;

extern "C" {

constinit u64 __stack_chk_guard = 0x6C65'6D65'67FF'0A00; // libfdt is compiled with canaries

[[noreturn]] void __stack_chk_fail()
{
    __builtin_trap();
}

usize strnlen(char const* text, usize max)
{
    usize length = 0;
    while (length < max && text[length] != 0)
        ++length;
    return length;
}

usize strlen(char const* text)
{
    return strnlen(text, ~usize { 0 });
}

char* strrchr(char const* text, int wanted)
{
    for (auto i = strlen(text) + 1; i-- > 0;)
        if (text[i] == static_cast<char>(wanted))
            return const_cast<char*>(text + i);
    return nullptr;
}

void* memchr(void const* memory, int wanted, usize bytes)
{
    auto const* const at = static_cast<u8 const*>(memory);
    for (usize i = 0; i < bytes; ++i)
        if (at[i] == static_cast<u8>(wanted))
            return const_cast<u8*>(at + i);
    return nullptr;
}

int memcmp(void const* left, void const* right, usize bytes)
{
    auto const* const a = static_cast<u8 const*>(left);
    auto const* const b = static_cast<u8 const*>(right);
    for (usize i = 0; i < bytes; ++i)
        if (a[i] != b[i])
            return a[i] - b[i];
    return 0;
}

void* memmove(void* to, void const* from, usize bytes)
{
    auto* const a = static_cast<u8*>(to);
    auto const* const b = static_cast<u8 const*>(from);
    if (a <= b)
        for (usize i = 0; i < bytes; ++i)
            a[i] = b[i];
    else
        for (usize i = bytes; i-- > 0;)
            a[i] = b[i];
    return to;
}

} // extern "C"
