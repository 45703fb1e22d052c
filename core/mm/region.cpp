// Memory. A region is a leaf page table (up to 512 pages): mapping it links the leaf into a task's
// tables, so sharing and unmapping touch one entry whatever the size, and rights narrow per link.
#include "core/kernel.hpp"

namespace gemel {

namespace {

constexpr u16 flag(VmFlag value)
{
    return static_cast<u16>(value);
}

constexpr u16 vm_access = flag(VmFlag::read) | flag(VmFlag::write) | flag(VmFlag::execute);

// The access flags ask for rights; writable and executable at once is never given.
bool access_allowed(u16 flags, Rights rights)
{
    Rights needed = 0;
    if (flags & flag(VmFlag::read))
        needed = needed | Right::read;
    if (flags & flag(VmFlag::write))
        needed = needed | Right::write;
    if (flags & flag(VmFlag::execute))
        needed = needed | Right::execute;
    if (flags & flag(VmFlag::lasting))
        needed = needed | Right::grant;
    return (needed & ~rights) == 0;
}

// The access that rights give: the same bits, elsewhere.
constexpr u16 access_of(Rights rights)
{
    return rights >> 6 & vm_access;
}
static_assert(
    access_of(Right::read | Right::execute) == (flag(VmFlag::read) | flag(VmFlag::execute)));
static_assert(access_of(rights_of(Right::write)) == flag(VmFlag::write));

// A mapping's record: its capability's handle, whose index leaves these bits free.
constexpr unsigned record_flags_shift = 24;
constexpr u64 record_index_mask = (1u << record_flags_shift) - 1;

u64* page_of(u64* entry)
{
    return reinterpret_cast<u64*>(align_down<u64>(reinterpret_cast<u64>(entry), page_bytes));
}

bool access_sane(u16 flags)
{
    auto const both = flag(VmFlag::write) | flag(VmFlag::execute);
    return (flags & ~(vm_access | flag(VmFlag::lasting))) == 0 && (flags & flag(VmFlag::read))
        && (flags & both) != both;
}

} // namespace

// A region of zeroed memory, of 1 to region_pages_max pages; its first handle into word 2. The
// pages were wanted.
u64* Kernel::region_new(Task& payer, u32 pages, u64* words)
{
    auto* leaf = static_cast<u64*>(object_new(payer, ObjectType::region, payer, words));
    for (u32 i = 0; i < pages; ++i) {
        auto* page = page_new(payer, PageUse::data);
        info_of(page).links = 1;
        leaf[i] = machine_.page_entry(machine_.physical_of(page), arch::PageKind::memory);
    }
    return leaf;
}

// A region over physical memory that is not the kernel's to give away: device windows, boot data.
u64* Kernel::region_physical(Task& payer, u64 first_page, u64 pages, u64 flags, u64* words)
{
    constexpr u64 physical_pages = 1ull << 40;
    if (pages > region_pages_max)
        fail(Error::too_big);
    if (pages == 0 || first_page >= physical_pages || pages > physical_pages - first_page)
        fail(Error::invalid);
    auto* leaf = static_cast<u64*>(object_new(payer, ObjectType::region, payer, words));
    info_of(leaf).physical = 1;
    auto const write = (flags & static_cast<u16>(PhysFlag::write)) != 0;
    auto const device = (flags & static_cast<u16>(PhysFlag::uncached)) != 0;
    auto const kind = arch::page_kind(device, write);
    for (u32 i = 0; i < pages; ++i)
        leaf[i] = machine_.page_entry((first_page + i) * page_bytes, kind);
    return leaf;
}

// One leaf entry less holds the page.
void Kernel::data_release(u64 physical)
{
    if (auto& info = info_at(physical); --info.links == 0)
        page_free(info);
}

// Of a leaf that no table points at any more.
void Kernel::region_destroy(u64* leaf)
{
    auto const physical = info_of(leaf).physical != 0;
    machine_.leaf_emptied(leaf);
    for (u32 i = region_pages_max; i-- > 0;) {
        auto const entry = leaf[i];
        leaf[i] = 0;
        if (entry != 0 && !physical)
            data_release(machine_.entry_target(entry));
    }
    page_free(leaf);
}

// An empty leaf that tables still point at: who paid for it does so until the last of them is
// cleared. Of one that is dead, no more: its pages may have been looked at already.
void Kernel::leaf_retire(PageInfo& info)
{
    info.use = PageUse::zombie_leaf;
    ++zombie_leaves_;
    if (auto& payer = *tasks_[info.owner]; payer.dead) {
        ++payer.pages;
        info.owner = 0;
    }
}

// As many tables point at the leaf as can be counted, or at the one that its mappings share.
[[gnu::noinline]] bool Kernel::leaf_full(PageInfo const& info) const
{
    return info.links == page_links_max || pages_[info.next].links == page_links_max;
}

// The leaf of the mappings that revocation cuts: a copy of the region's own, made when it is first
// needed, at the region's cost: a page that was wanted.
u64* Kernel::shared_leaf(u64* leaf)
{
    auto& info = info_of(leaf);
    if (info.next == 0) {
        auto* shared = page_new(*tasks_[info.owner], PageUse::shared_leaf);
        info.next = number_of(shared);
        info_of(shared).next = number_of(leaf);
        ++info.links;
        __builtin_memcpy(shared, leaf, page_bytes);
    }
    return static_cast<u64*>(page_at(info.next));
}

// Every mapping through the shared leaf is gone, whatever their number. Those whose capability
// lives come back at their next use (region_restore).
void Kernel::region_cut(u64* leaf)
{
    auto& info = info_of(leaf);
    if (info.next == 0)
        return;
    auto* shared = page_at(info.next);
    info.next = 0;
    --info.links;
    machine_.zero_page(shared);
    machine_.leaf_changed(shared, 0, region_pages_max);
    info_of(shared).next = 0;
    leaf_retire(info_of(shared));
}

// The region's leaf has new entries: so has the shared one.
[[gnu::noinline]] void Kernel::shared_changed(u64 const* leaf, u64 first, u64 pages)
{
    auto* const shared = static_cast<u64*>(page_at(info_of(leaf).next));
    for (auto i = first; i < first + pages; ++i)
        machine_.change_entry(shared[i], leaf[i]);
    machine_.leaf_changed(shared, static_cast<u32>(first), static_cast<u32>(pages));
}

// Up to the first page that is not there.
u64 Kernel::region_bytes(u64 const* leaf)
{
    u32 pages = 0;
    while (pages < region_pages_max && leaf[pages] != 0)
        ++pages;
    return pages * page_bytes;
}

// Nobody can name it any more: it lives while it is mapped. Null: it is gone already.
[[gnu::noinline]] PageInfo* Kernel::region_orphaned(u64* leaf)
{
    auto& info = info_of(leaf);
    info.orphan = 1;
    if (info.links != 0)
        return &info;
    region_destroy(leaf);
    return nullptr;
}

// The region's capabilities are dead at once, and the mappings through derived ones are cut. Its
// memory stays with who maps it otherwise, at the payer's cost, until the last of them unmaps it: a
// client cannot pull memory from under a server, nor from under a device.
void Kernel::region_end(u64* leaf)
{
    region_cut(leaf);
    if (auto* const info = region_orphaned(leaf)) {
        ++info->generation;
        ++validity_epoch_;
    }
}

// Its payer has ended. Who still maps it keeps the memory, which nobody pays for any more (its
// pages: reap_page): a server that works for a client that dies must not fault.
void Kernel::region_disown(u64* leaf)
{
    auto* const info = region_orphaned(leaf);
    if (!info)
        return;
    pages_[info->next].owner = 0; // number 0 is no page
    info->owner = 0;
}

bool Kernel::in_space(Task const& task, u64 address)
{
    return address >= machine_.user_begin(task.index) && address < machine_.user_end(task.index);
}

// The table entry for an address of the task's; null: the tables that lead to it are not there.
// What is made was wanted.
u64* Kernel::walk(Task& task, u64 address, Tables tables)
{
    auto* table = static_cast<u64*>(machine_.at_physical(task.root));
    for (unsigned shift = 39;; shift -= 9) {
        auto& entry = table[address >> shift & 511];
        if (shift == 21)
            return &entry;
        if (entry == 0) {
            if (tables == Tables::found) {
                tables_missing_ = static_cast<u8>((shift - 21) / 9);
                return nullptr;
            }
            entry = machine_.table_entry(machine_.physical_of(page_new(task, PageUse::table)));
        }
        table = static_cast<u64*>(machine_.at_physical(machine_.entry_target(entry)));
    }
}

// The same for what a program calls an address.
u64* Kernel::slot(Task& task, u64 address)
{
    if (address % region_bytes_max != 0)
        fail(Error::align);
    if (!in_space(task, address))
        fail(Error::invalid);
    return walk(task, address, Tables::found);
}

// Whether a mapping may be made there. The entry, which is free, or null as from walk().
u64* Kernel::map_wanted(Task& task, u64 address, u16 flags, Rights rights)
{
    if (!access_sane(flags))
        fail(Error::invalid);
    if (!access_allowed(flags, rights))
        fail(Error::no_rights);
    auto* entry = slot(task, address);
    if (entry && *entry != 0)
        fail(Error::exists);
    return entry;
}

void Kernel::region_map(Task& task, u64 address, Row& region, u16 flags)
{
    auto* entry = map_wanted(task, address, flags, region.rights);
    auto* leaf = object_of<u64>(region);
    if (leaf_full(info_of(leaf)))
        fail(Error::too_big);
    u32 own = entry ? 0 : tables_missing_;
    u32 others = 0;
    // What revocation cuts has a record, in a page beside the last table, and shares a leaf.
    auto const cut = region.parent != 0 && !(flags & flag(VmFlag::lasting));
    if (cut) {
        if (!entry || info_of(page_of(entry)).next == 0)
            ++own;
        if (auto const& info = info_of(leaf); info.next == 0) {
            ++(info.owner == task.index ? own : others);
            if (tasks_[info.owner]->pages < others)
                fail(Error::quota);
        }
    }
    pages_wanted(task, own, others);
    entry = walk(task, address, Tables::made);
    if (cut) {
        auto& records = info_of(page_of(entry)).next;
        if (records == 0)
            records = number_of(page_new(task, PageUse::table));
        leaf = shared_leaf(leaf);
        record_of(entry) = handle_of(region) | u64 { flags } << record_flags_shift;
    }
    region_link(task, address, *entry, leaf, flags);
}

void Kernel::region_link(Task& task, u64 address, u64& entry, u64* leaf, u16 flags)
{
    entry = machine_.link_entry(machine_.physical_of(leaf), flags);
    ++info_of(leaf).links;
    machine_.leaf_linked(task.root, address, leaf, flags);
}

// The capability and the access that a mapping through a shared leaf was made with.
u64& Kernel::record_of(u64* entry)
{
    auto* table = page_of(entry);
    return static_cast<u64*>(page_at(info_of(table).next))[entry - table];
}

// A page fault: a cut mapping whose own capability lives is linked again. False: it is a fault, as
// it is when there is no page for the leaf that such mappings share.
[[gnu::noinline]] bool Kernel::region_restore(Task& task, u64 address)
{
    address = align_down<u64>(address, region_bytes_max);
    auto* entry = in_space(task, address) ? walk(task, address, Tables::found) : nullptr;
    if (!entry || *entry == 0 || info_at(machine_.entry_target(*entry)).use != PageUse::zombie_leaf
        || info_of(page_of(entry)).next == 0)
        return false;
    auto const record = record_of(entry);
    auto* row = stored(record & record_index_mask, static_cast<u32>(record >> 32));
    if (!row)
        return false;
    auto* leaf = object_of<u64>(*row);
    if (auto const& info = info_of(leaf);
        leaf_full(info) || (info.next == 0 && (tasks_[info.owner]->pages == 0 || free_pages_ == 0)))
        return false;
    region_unlink(task.root, address, *entry);
    region_link(task, address, *entry, shared_leaf(leaf),
        static_cast<u16>(record >> record_flags_shift & vm_access));
    return true;
}

void Kernel::region_unmap(Task& task, u64 address)
{
    auto* entry = slot(task, address);
    if (!entry || *entry == 0)
        fail(Error::not_found);
    region_unlink(task.root, address, *entry);
    if (address < task.next_address)
        task.next_address = address; // used again, or page tables would grow with every mapping
}

void Kernel::region_unlink(u64 root, u64 address, u64& entry)
{
    auto const target = machine_.entry_target(entry);
    entry = 0;
    machine_.leaf_unlinked(root, address, machine_.at_physical(target));
    auto* info = &info_at(target);
    if (--info->links != 0)
        return;
    if (info->use == PageUse::shared_leaf) {
        auto& region = pages_[info->next];
        page_free(*info);
        info = &region;
        info->next = 0;
        if (--info->links != 0)
            return;
    }
    if (info->use == PageUse::zombie_leaf) {
        --zombie_leaves_;
        page_free(*info);
    } else if (info->orphan != 0) {
        region_destroy(static_cast<u64*>(page_at(static_cast<u32>(info - pages_))));
    }
}

// Takes access away from pages of the region itself, in every task that maps it.
void Kernel::region_protect(Row const& region, u64 const* words)
{
    auto* const leaf = object_of<u64>(region);
    auto const first = words[3];
    auto const pages = words[4];
    auto const flags = words[5];
    if (first >= region_pages_max || pages > region_pages_max - first
        || (static_cast<u16>(flags) & ~vm_access))
        fail(Error::invalid);
    for (auto i = first; i < first + pages; ++i)
        if (leaf[i] != 0)
            leaf[i] = machine_.narrowed_entry(leaf[i], static_cast<u16>(flags));
    machine_.leaf_changed(leaf, static_cast<u32>(first), static_cast<u32>(pages));
    if (pages_[region.object].next != 0)
        shared_changed(leaf, first, pages);
}

// The source's page also becomes the destination's: what a pager answers a fault with. False: there
// is no such page, or it has as many holders as can be counted.
[[gnu::noinline]] bool Kernel::region_fill(Row const& target, Row const& source, u64 const* words)
{
    auto& target_info = pages_[target.object];
    auto* const to = object_of<u64>(target);
    auto const* const from = object_of<u64>(source);
    auto const to_page = words[3];
    auto const from_page = words[5];
    if ((to_page | from_page) >= region_pages_max || from[from_page] == 0
        || (target_info.physical | pages_[source.object].physical) != 0)
        return false;
    auto& info = info_at(machine_.entry_target(from[from_page]));
    if (info.links == page_links_max)
        return false;
    ++info.links;
    auto const old = to[to_page];
    machine_.change_entry(
        to[to_page], machine_.narrowed_entry(from[from_page], access_of(source.rights)));
    machine_.leaf_changed(to, static_cast<u32>(to_page), 1);
    if (target_info.next != 0) [[unlikely]]
        shared_changed(to, to_page, 1);
    if (old == 0)
        return true;
    if (auto& released = info_at(machine_.entry_target(old)); --released.links == 0)
        page_free(released);
    return true;
}

// The next address at which a region fits; fails when the window is full.
u64 Kernel::free_address(Task& task)
{
    auto const begin = machine_.user_begin(task.index);
    auto const end = machine_.user_end(task.index);
    constexpr u32 tries_max = 65536;
    auto address = task.next_address;
    for (u32 i = 0; i < tries_max; ++i, address += region_bytes_max) {
        if (address < begin || address >= end)
            address = begin;
        auto* entry = walk(task, address, Tables::found);
        if (!entry || *entry == 0)
            return address;
    }
    fail(Error::no_memory);
}

} // namespace gemel
