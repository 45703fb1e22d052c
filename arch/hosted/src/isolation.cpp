// What of the process the running task can reach: everything, or (isolated) what its page tables
// allow. The tables are data here, so the process's own mappings are made from them as a processor
// fills its translation buffer: at the first touch of each region, until the next switch.
#include <gemel/arch/machine.hpp>

#include "core/base/assert.hpp"

#include <algorithm>
#include <iterator>
#include <sys/mman.h>

namespace gemel::arch {

namespace {

constexpr unsigned root_shift = 39;
constexpr unsigned link_shift = 21; // an entry that points at a region's leaf
constexpr unsigned bits_each = 9;
constexpr u64 index_mask = 511;

} // namespace

// The entry that links a region there; null: no table reaches so far.
u64* Machine::link_of(u64 root, u64 address)
{
    auto* table = static_cast<u64*>(at_physical(root));
    for (auto shift = root_shift;; shift -= bits_each) {
        auto& entry = table[address >> shift & index_mask];
        if (shift == link_shift)
            return &entry;
        if (entry == 0)
            return nullptr;
        table = static_cast<u64*>(at_physical(entry_target(entry)));
    }
}

bool Machine::allows(u64 root, u64 address, Access access)
{
    if (address < windows_address || address >> (root_shift + bits_each) != 0)
        return false;
    auto const* link = link_of(root, address);
    if (!link || *link == 0)
        return false;
    auto const* leaf = static_cast<u64 const*>(at_physical(entry_target(*link)));
    auto const entry = leaf[address / page_bytes % region_pages_max];
    return entry != 0 && (access == Access::read || (*link & entry & writable) != 0);
}

Machine::Shown* Machine::shown(u64 root, u64 address)
{
    auto* const found = std::find(std::begin(shown_), std::end(shown_), Shown { root, address });
    return found == std::end(shown_) ? nullptr : found;
}

void Machine::hide(Shown& one)
{
    if (one.address != 0)
        munmap(reinterpret_cast<void*>(one.address), region_bytes_max);
    one = {};
}

bool Machine::show(u64 root, u64 address, Access access)
{
    auto const begin = align_down<u64>(address, region_bytes_max);
    if (!allows(root, address, access) || shown(root, begin))
        return false;
    auto const link = *link_of(root, address);
    auto const flags = (link & writable) != 0 ? static_cast<u16>(VmFlag::write) : u16 { 0 };
    map_pages({ root, begin, flags }, static_cast<u64 const*>(at_physical(entry_target(link))), 0,
        region_pages_max);
    auto& place = shown_[shown_next_++ % shown_max];
    hide(place);
    place = { root, begin };
    return true;
}

// The memory is mapped anew without access, not protected: that costs what this stay in the kernel
// has touched, not what the machine has.
void Machine::hide_all_but(u64 root)
{
    for (auto& one : shown_)
        if (one.root != root)
            hide(one);
    kernel_shown_ = false;
    auto* got
        = mmap(arena_, memory_bytes_, PROT_NONE, MAP_SHARED | MAP_FIXED, memory_descriptor_, 0);
    ASSERT(got == arena_);
    mprotect(kernel_pages_.begin, kernel_pages_.bytes, PROT_NONE);
}

void Machine::show_kernel()
{
    if (kernel_shown_)
        return;
    mprotect(kernel_pages_.begin, kernel_pages_.bytes, PROT_READ | PROT_WRITE);
    mprotect(arena_, memory_bytes_, PROT_READ | PROT_WRITE);
    kernel_shown_ = true;
}

} // namespace gemel::arch
