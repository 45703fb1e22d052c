// What the compiler calls by itself; compiled so that it does not make these into calls of
// themselves.
#include "core/base/types.hpp"

using gemel::usize;

extern "C" {

void* memcpy(void* to, void const* from, usize bytes)
{
    for (usize index = 0; index < bytes; ++index)
        static_cast<char*>(to)[index] = static_cast<char const*>(from)[index];
    return to;
}

void* memset(void* to, int value, usize bytes)
{
    for (usize index = 0; index < bytes; ++index)
        static_cast<char*>(to)[index] = static_cast<char>(value);
    return to;
}

int memcmp(void const* left, void const* right, usize bytes)
{
    auto const* a = static_cast<unsigned char const*>(left);
    auto const* b = static_cast<unsigned char const*>(right);
    for (usize index = 0; index < bytes; ++index)
        if (a[index] != b[index])
            return a[index] - b[index];
    return 0;
}

usize strlen(char const* text)
{
    usize length = 0;
    while (text[length] != 0)
        ++length;
    return length;
}

} // extern "C"
