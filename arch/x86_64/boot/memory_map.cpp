#include "arch/x86_64/boot/memory_map.hpp"

namespace gemel::arch::boot {

void MemoryMap::add(u64 begin, u64 end)
{
    begin = align_up<u64>(begin, page_bytes);
    end = align_down<u64>(end, page_bytes);
    if (begin < end && count_ < memory_ranges_max)
        ranges_[count_++] = { begin, end };
}

void MemoryMap::remove(u64 begin, u64 end)
{
    begin = align_down<u64>(begin, page_bytes);
    end = align_up<u64>(end, page_bytes);
    auto const count = count_;
    for (u32 index = 0; index < count; ++index) {
        auto& range = ranges_[index];
        if (begin >= range.end || end <= range.begin)
            continue;
        auto const above = MemoryRange { end, range.end };
        range.end = begin > range.begin ? begin : range.begin;
        if (range.begin == range.end)
            range = above.begin < above.end ? above : MemoryRange {};
        else
            add(above.begin, above.end);
    }
}

u64 MemoryMap::take_page(u64 limit)
{
    MemoryRange* best = nullptr;
    for (auto& range : std::span(ranges_, count_)) {
        if (range.begin < range.end && range.end <= limit && (!best || range.end > best->end))
            best = &range;
    }
    if (best == nullptr)
        return 0;
    best->end -= page_bytes;
    return best->end;
}

} // namespace gemel::arch::boot
