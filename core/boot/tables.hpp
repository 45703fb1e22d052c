// How large the kernel's tables are in a machine of so many pages. They lie at the start of its
// largest range of memory.
#pragma once

#include "core/base/types.hpp"
#include "core/object/page.hpp"
#include "core/object/row.hpp"

namespace gemel {

inline constexpr u32 rows_min = 4096;
inline constexpr u32 rows_max = 65536;

constexpr u32 rows_for(u32 pages)
{
    auto const wanted = pages / 2;
    return wanted < rows_min ? rows_min : wanted > rows_max ? rows_max : wanted;
}

// Both in bytes, whole pages.
constexpr u64 page_table_bytes(u32 pages)
{
    return align_up<u64>(u64 { pages } * sizeof(PageInfo), page_bytes);
}
constexpr u64 row_table_bytes(u32 pages)
{
    return align_up<u64>(u64 { rows_for(pages) } * sizeof(Row), page_bytes);
}

} // namespace gemel
