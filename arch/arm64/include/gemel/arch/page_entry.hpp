// Translation table entries of the 4 KiB granule, as plain data. (Arm Architecture Reference
// Manual, "The AArch64 Virtual Memory System Architecture", D8.3 translation table descriptor
// formats.)
#pragma once

#include "core/abi/call.hpp"
#include "core/arch/types.hpp"

namespace gemel::arch::entry {

inline constexpr u64 address_mask = 0x0000'FFFF'FFFF'F000;

// Indices into MAIR_EL1, as boot/start.S sets it.
inline constexpr u64 device_memory = 0 << 2;
inline constexpr u64 normal_memory = 1 << 2;

inline constexpr u64 valid = 1;
inline constexpr u64 block = 1;
inline constexpr u64 table = 3; // also a page in the last table
inline constexpr u64 user = 1 << 6;
inline constexpr u64 read_only = 1 << 7;
inline constexpr u64 inner_shareable = 3 << 8;
inline constexpr u64 accessed = 1 << 10;
inline constexpr u64 not_global = 1 << 11;
inline constexpr u64 kernel_no_execute = 1ull << 53;
inline constexpr u64 user_no_execute = 1ull << 54;

// In a table entry: taken away from everything below it.
inline constexpr u64 table_kernel_no_execute = 1ull << 59;
inline constexpr u64 table_user_no_execute = 1ull << 60;
inline constexpr u64 table_no_user = 1ull << 61;
inline constexpr u64 table_read_only = 1ull << 62;

constexpr bool allows(u16 flags, VmFlag flag)
{
    return (flags & static_cast<u16>(flag)) != 0;
}

// To a table further down.
constexpr u64 to_table(u64 physical)
{
    return physical | table | table_kernel_no_execute;
}

// To a leaf: a region as one task sees it.
constexpr u64 to_leaf(u64 physical, u16 flags)
{
    return to_table(physical) | (allows(flags, VmFlag::read) ? 0 : table_no_user)
        | (allows(flags, VmFlag::write) ? 0 : table_read_only)
        | (allows(flags, VmFlag::execute) ? 0 : table_user_no_execute);
}

// A user page. Memory may be executed where the link to its leaf allows it, devices never.
constexpr u64 to_page(u64 physical, PageKind kind)
{
    auto const common = physical | table | user | accessed | not_global | kernel_no_execute;
    switch (kind) {
    case PageKind::memory:
        return common | normal_memory | inner_shareable;
    case PageKind::memory_read_only:
        return common | normal_memory | inner_shareable | read_only;
    case PageKind::device:
        return common | device_memory | user_no_execute;
    case PageKind::device_read_only:
        return common | device_memory | user_no_execute | read_only;
    }
    return 0;
}

constexpr u64 narrowed(u64 entry, u16 flags)
{
    if (!allows(flags, VmFlag::read))
        entry &= ~user;
    if (!allows(flags, VmFlag::write))
        entry |= read_only;
    if (!allows(flags, VmFlag::execute))
        entry |= user_no_execute;
    return entry;
}

static_assert((to_page(0x1000, PageKind::memory) & address_mask) == 0x1000);
static_assert((to_leaf(0x4000'0000, 0) & address_mask) == 0x4000'0000);
static_assert(narrowed(to_page(0, PageKind::memory), 1) & read_only);

} // namespace gemel::arch::entry
