// Types that the seam speaks, the same for every back end.
#pragma once

#include "core/abi/call.hpp"
#include "core/base/types.hpp"

namespace gemel::arch {

// A page fault or another exception that a thread caused.
struct FaultReport {
    FaultKind kind = FaultKind::other;
    u64 address = 0; // page faults: the address that was touched; otherwise 0
    u64 code = 0; // the machine's own: x86_64 error code, arm64 ESR
};

// Where a device must write to raise a message-signalled interrupt.
struct MsiTarget {
    u64 address = 0;
    u32 data = 0;
    u32 line = 0; // 0: none left
};

// How a leaf page-table entry is made.
enum class PageKind : u8 { memory, memory_read_only, device, device_read_only };

constexpr PageKind page_kind(bool device, bool write)
{
    return static_cast<PageKind>((device ? 2 : 0) + (write ? 0 : 1));
}
static_assert(page_kind(true, false) == PageKind::device_read_only);

// The interrupt line of the tick in every back end's numbering.
inline constexpr u32 tick_line = 0;
inline constexpr u32 interrupt_lines_max = 256;

} // namespace gemel::arch
