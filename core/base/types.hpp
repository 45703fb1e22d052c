// The fixed-width names every file uses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gemel {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using usize = std::size_t;

inline constexpr usize page_bytes = 4096;

template <typename T>
constexpr T align_up(T value, T alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

template <typename T>
constexpr T align_down(T value, T alignment)
{
    return value / alignment * alignment;
}

} // namespace gemel
