// The ranges of RAM that nobody uses yet. Boot code takes pages for tables from it; the rest
// becomes the kernel's.
#pragma once

#include "core/kernel.hpp"

#include <span>

namespace gemel::arch::boot {

inline constexpr u32 memory_ranges_max = 64;

class MemoryMap {
public:
    // Whole pages within [begin, end). A map with more ranges than we hold loses the last ones.
    void add(u64 begin, u64 end);
    void remove(u64 begin, u64 end);

    // The last page below `limit` of the ranges, no longer part of them; 0: none.
    u64 take_page(u64 limit);

    std::span<MemoryRange const> ranges() const { return { ranges_, count_ }; }

private:
    MemoryRange ranges_[memory_ranges_max];
    u32 count_ = 0;
};

} // namespace gemel::arch::boot
