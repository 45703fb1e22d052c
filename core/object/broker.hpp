// A broker capability's badge: which operations it may do and on which arguments.
#pragma once

#include "core/abi/operation.hpp"

namespace gemel {

constexpr bool allows(u64 badge, Operation operation)
{
    return static_cast<u64>(operation) - (badge & 0xFF) < (badge >> 8 & 0xFF);
}

constexpr bool allows_argument(u64 badge, u64 argument)
{
    auto const count = badge >> 40;
    return count == 0 || argument - (badge >> 16 & 0xFF'FFFF) < count;
}

// Whether a range that is not empty lies in another.
constexpr bool within(u64 first, u64 count, u64 wide_first, u64 wide_count)
{
    return count != 0 && first >= wide_first && first + count <= wide_first + wide_count;
}

// Deriving may only narrow.
constexpr bool narrows(u64 from, u64 to)
{
    return within(to & 0xFF, to >> 8 & 0xFF, from & 0xFF, from >> 8 & 0xFF)
        && (from >> 40 == 0
            || within(to >> 16 & 0xFF'FFFF, to >> 40, from >> 16 & 0xFF'FFFF, from >> 40));
}

// region_physical's argument is a page number; its range counts in units of 256 pages (1 MiB).
inline constexpr unsigned physical_range_shift = 8;

} // namespace gemel
