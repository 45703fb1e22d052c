// What the kernel remembers of every physical page. Pages are the quota currency: every object is
// one, and a page belongs to the task that paid for it.
#pragma once

#include "core/abi/operation.hpp"
#include "core/base/types.hpp"

namespace gemel {

enum class PageUse : u8 { free, object, table, data, shared_leaf, zombie_leaf, reserved };

struct PageInfo {
    u32 generation = 0; // bumped when the page is freed: stored references are checked against it
    // Of a free page. Region and its shared leaf: each other; last table: its mappings' records.
    u32 next = 0;
    u16 owner = 0; // index of the task that paid; 0: the kernel
    u16 links = 0; // region: tables that point at it; data: leaf entries that hold it
    PageUse use = PageUse::reserved;
    ObjectType type = ObjectType::none;
    u8 physical = 0; // region over memory that is not ours to free (device, boot bundle)
    u8 orphan = 0; // region without a capability: lives while it is mapped
};
static_assert(sizeof(PageInfo) == 16);

inline constexpr u16 page_links_max = 0xFFFF;
inline constexpr u32 page_generation_max = 0xFFFF'FFFF;

} // namespace gemel
