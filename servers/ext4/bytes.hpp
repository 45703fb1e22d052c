// Little-endian fields of on-disk structures. The bounds are asserted, so whoever takes an offset
// from the disk checks it before it comes here.
#pragma once

#include "core/base/assert.hpp"
#include "core/base/types.hpp"

#include <span>

namespace gemel::ext4 {

using Bytes = std::span<u8 const>;

inline u8 load8(Bytes bytes, usize offset)
{
    ASSERT(offset < bytes.size());
    return bytes[offset];
}

inline u16 load16(Bytes bytes, usize offset)
{
    ASSERT(bytes.size() >= 2 && offset <= bytes.size() - 2);
    return static_cast<u16>(bytes[offset] | bytes[offset + 1] << 8);
}

inline u32 load32(Bytes bytes, usize offset)
{
    ASSERT(bytes.size() >= 4 && offset <= bytes.size() - 4);
    return static_cast<u32>(bytes[offset]) | static_cast<u32>(bytes[offset + 1]) << 8
        | static_cast<u32>(bytes[offset + 2]) << 16 | static_cast<u32>(bytes[offset + 3]) << 24;
}

inline void store8(std::span<u8> bytes, usize offset, u8 value)
{
    ASSERT(offset < bytes.size());
    bytes[offset] = value;
}

inline void store16(std::span<u8> bytes, usize offset, u16 value)
{
    ASSERT(bytes.size() >= 2 && offset <= bytes.size() - 2);
    bytes[offset] = static_cast<u8>(value);
    bytes[offset + 1] = static_cast<u8>(value >> 8);
}

inline void store32(std::span<u8> bytes, usize offset, u32 value)
{
    store16(bytes, offset, static_cast<u16>(value));
    store16(bytes, offset + 2, static_cast<u16>(value >> 16));
}

// A 64-bit number that the disk keeps as two separate halves.
constexpr u64 join(u32 low, u32 high)
{
    return static_cast<u64>(high) << 32 | low;
}

} // namespace gemel::ext4
