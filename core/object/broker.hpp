// A broker capability's badge: which operations it may do and on which arguments.
#pragma once

#include "core/abi/operation.hpp"

namespace gemel {

struct BrokerRange {
    u32 operation_first;
    u32 operation_end;
    u32 argument_first;
    u32 argument_end; // equal to first: every argument

    static constexpr BrokerRange of(u64 badge)
    {
        auto const operation = static_cast<u32>(badge & 0xFF);
        auto const operations = static_cast<u32>(badge >> 8 & 0xFF);
        auto const argument = static_cast<u32>(badge >> 16 & 0xFF'FFFF);
        auto const arguments = static_cast<u32>(badge >> 40);
        return { operation, operation + operations, argument, argument + arguments };
    }

    constexpr bool every_argument() const { return argument_first == argument_end; }
    constexpr bool allows(u32 operation) const
    {
        return operation >= operation_first && operation < operation_end;
    }
    constexpr bool allows_argument(u64 argument) const
    {
        return every_argument() || (argument >= argument_first && argument < argument_end);
    }
};

// Deriving may only narrow.
constexpr bool narrows(u64 from, u64 to)
{
    auto const wide = BrokerRange::of(from);
    auto const narrow = BrokerRange::of(to);
    if (narrow.operation_first < wide.operation_first || narrow.operation_end > wide.operation_end
        || narrow.operation_first == narrow.operation_end)
        return false;
    if (wide.every_argument())
        return true;
    return !narrow.every_argument() && narrow.argument_first >= wide.argument_first
        && narrow.argument_end <= wide.argument_end;
}

// region_physical's argument is a page number; its range counts in units of 256 pages (1 MiB).
inline constexpr u64 physical_range_pages = 256;

} // namespace gemel
