#include "arch/arm64/boot/platform.hpp"

namespace gemel::arch {

void RangeList::add(u64 begin, u64 end)
{
    if (begin < end && count < max)
        items[count++] = { begin, end };
}

void RangeList::remove(u64 begin, u64 end)
{
    if (begin >= end)
        return;
    begin = align_down<u64>(begin, page_bytes);
    end = align_up<u64>(end, page_bytes);
    for (u32 i = 0; i < count;) {
        auto& item = items[i];
        auto const old = item;
        if (old.end <= begin || old.begin >= end) {
            ++i;
            continue;
        }
        if (old.begin < begin) {
            item.end = begin;
            add(end, old.end);
            ++i;
        } else if (old.end > end) {
            item.begin = end;
            ++i;
        } else {
            item = items[--count];
        }
    }
}

void RangeList::shrink_to_pages()
{
    for (u32 i = 0; i < count;) {
        auto& item = items[i];
        item = { align_up<u64>(item.begin, page_bytes), align_down<u64>(item.end, page_bytes) };
        if (item.begin >= item.end)
            item = items[--count];
        else
            ++i;
    }
}

} // namespace gemel::arch
