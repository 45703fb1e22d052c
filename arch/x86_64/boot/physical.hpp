// Reads of physical memory by boot code: plain data, so that the readers can be tested anywhere.
#pragma once

#include "core/base/types.hpp"

namespace gemel::arch::boot {

// The first `bytes` of physical memory, seen at `base`. A read beyond them finds nothing.
struct Physical {
    u8 const* base = nullptr;
    u64 bytes = 0;

    // Null: not within what can be seen.
    u8 const* span(u64 address, u64 length) const
    {
        if (address > bytes || length > bytes - address)
            return nullptr;
        return base + address;
    }

    template <typename T>
    T const* at(u64 address) const
    {
        return reinterpret_cast<T const*>(span(address, sizeof(T)));
    }
};

// A little-endian number at any alignment.
template <typename T>
T load(u8 const* from)
{
    T value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

} // namespace gemel::arch::boot
