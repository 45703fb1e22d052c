// A machine that stands still at a kernel exit, saved and loaded again: what there is beside its
// memory. Pointers into that memory, the kernel's pages and the fault stacks are good in every
// process; those into the program are where it lies at the linker's place.
#include "core/base/assert.hpp"
#include "host.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

extern "C" {
extern char __executable_start;
}

namespace gemel::arch {

// --- the machine ---

template <typename Visitor>
void Machine::visit_words(Visitor& visit)
{
    visit(cpu_);
    visit(called_cpus_);
    visit(taken_);
    visit(wake_ns_);
    visit(pending_);
    visit(masked_);
    visit(messages_from_);
    visit(tick_pending_);
    visit(console_);
}

void Machine::save(hosted::StateWriter& to) const
{
    const_cast<Machine*>(this)->visit_words(to); // which only reads them
    std::vector<std::pair<Mapping, u64>> mappings;
    for (auto const& [leaf, mapping] : mappings_)
        mappings.emplace_back(mapping, static_cast<u64>(static_cast<u8 const*>(leaf) - arena_));
    std::sort(mappings.begin(), mappings.end(),
        [](auto const& a, auto const& b) { return a.first.address < b.first.address; });
    to(u64 { mappings.size() });
    for (auto const& [mapping, leaf] : mappings) {
        to(mapping.root);
        to(mapping.address);
        to(mapping.flags);
        to(leaf);
    }
}

// Whether every page that it names is the machine's.
bool Machine::is_leaf(u64 physical) const
{
    if (physical % page_bytes != 0 || physical >= memory_bytes_)
        return false;
    auto const* leaf = reinterpret_cast<u64 const*>(arena_ + physical);
    return std::all_of(leaf, leaf + region_pages_max,
        [this](u64 entry) { return entry == 0 || (entry & target_mask) < memory_bytes_; });
}

bool Machine::load(hosted::StateReader& from)
{
    constexpr u64 windows_end = windows_address + tasks_max * window_bytes;
    visit_words(from);
    u64 count = 0;
    from(count);
    used_.assign(used_.size(), true); // a page of zeroes may be somebody's, and hold more later
    if (!from.ok() || cpu_ >= cpus_max || messages_from_ > lines_max)
        return false;
    for (; count > 0; --count) {
        Mapping mapping {};
        u64 leaf = 0;
        from(mapping.root);
        from(mapping.address);
        from(mapping.flags);
        from(leaf);
        if (!from.ok() || mapping.address % region_bytes_max != 0
            || mapping.address < windows_address || mapping.address >= windows_end
            || !is_leaf(leaf))
            return false;
        mappings_.emplace(arena_ + leaf, mapping);
        if (!try_map(mapping, reinterpret_cast<u64 const*>(arena_ + leaf), 0, region_pages_max))
            return false;
    }
    return true;
}

bool Machine::put_page(u64 number, u8 const* bytes)
{
    if (number >= memory_bytes_ / page_bytes)
        return false;
    std::memcpy(arena_ + number * page_bytes, bytes, page_bytes);
    return true;
}

} // namespace gemel::arch

namespace gemel::hosted {

namespace {

// Where its stack is, if it stands amid a fault.
u64 fault_context(Thread const& thread, arch::Frame::Fiber const& fiber)
{
    auto const at = reinterpret_cast<u64>(fiber.context);
    return at - arch::fault_stack_of(thread.id) < arch::fault_stack_bytes ? at : 0;
}

bool has_exceptions(arch::Frame::Fiber const& fiber)
{
    return fiber.exceptions[0] != nullptr
        || static_cast<u32>(reinterpret_cast<u64>(fiber.exceptions[1])) != 0;
}

// The kernel, but for the one word that says where its machine is.
constexpr usize kernel_begin = sizeof(arch::MachineHolder);
static_assert(kernel_begin == sizeof(void*) && !std::is_polymorphic_v<Kernel>);
// Whatever owns memory of the process has something to do at its end.
static_assert(
    std::is_trivially_destructible_v<
        Kernel> && std::is_trivially_destructible_v<Thread> && std::is_trivially_destructible_v<Task> && std::is_trivially_destructible_v<Port>);

} // namespace

// Sanitizers keep books of stacks that nobody could save.
bool System::can_be_saved()
{
#if defined(__SANITIZE_ADDRESS__)
    return false;
#else
    constexpr u64 linked_at = 0x5555'5555'4000; // of a program that is not moved at random
    return !arch::watches_races && !counts_edges
        && reinterpret_cast<u64>(&__executable_start) == linked_at;
#endif
}

template <typename Visitor>
void System::visit_words(Visitor& visit)
{
    visit(turn_);
    visit(rests_);
    visit(arch::host.standing);
    visit(arch::host.tick_place);
}

bool System::save(StateWriter& to) const
{
    ASSERT(paused_ == Paused::at_exit);
    for (u32 id = 0; id < threads_max; ++id)
        if (auto const* thread = kernel().thread(id); thread && has_exceptions(thread->frame.fiber))
            return false; // they lie in the host's memory
    if (has_exceptions(arch::host.standing))
        return false;
    const_cast<System*>(this)->visit_words(to);
    machine_.save(to);
    to.block(reinterpret_cast<u8 const*>(&kernel()) + kernel_begin, sizeof(Kernel) - kernel_begin);
    save_fault_stacks(to);
    return true;
}

// Of each, what is above the place where its thread stands.
void System::save_fault_stacks(StateWriter& to) const
{
    for (u32 id = 1; id < threads_max; ++id) {
        auto const* thread = kernel().thread(id);
        if (!thread)
            continue;
        auto const own = fault_context(*thread, thread->frame.fiber);
        auto const standing = fault_context(*thread, arch::host.standing);
        auto const at = standing != 0 ? standing : own;
        if (at == 0)
            continue;
        to(id);
        to.block(reinterpret_cast<void const*>(at),
            arch::fault_stack_of(id) + arch::fault_stack_bytes - at);
    }
    to(u32 { 0 });
}

bool System::load_fault_stacks(StateReader& from)
{
    for (u32 id = ~0u; from.ok() && id != 0;) {
        from(id);
        if (id == 0 || !from.ok())
            break;
        auto const bytes = from.block();
        auto* const stack = id < threads_max ? arch::fault_stack(id) : nullptr;
        if (!stack || bytes.size() > arch::fault_stack_bytes)
            return false;
        std::memcpy(stack + arch::fault_stack_bytes - bytes.size(), bytes.data(), bytes.size());
    }
    return from.ok();
}

bool System::load(StateReader& from)
{
    ASSERT(can_be_saved() && !arch::host.system && !machine_.isolated());
    visit_words(from);
    if (!machine_.load(from))
        return false;
    auto const bytes = from.block();
    if (bytes.size() != sizeof(Kernel) - kernel_begin)
        return false;
    std::memcpy(reinterpret_cast<u8*>(&kernel()) + kernel_begin, bytes.data(), bytes.size());
    if (!load_fault_stacks(from))
        return false;
    come_up();
    paused_ = Paused::at_exit;
    return true;
}

} // namespace gemel::hosted
