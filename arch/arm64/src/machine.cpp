// What the portable kernel asks of the machine and is not one instruction: time, interrupts,
// translation and cache maintenance, serial output. Runs with interrupts masked.
#include <gemel/arch/machine.hpp>

#include "arch/arm64/boot/platform.hpp"
#include "arch/arm64/src/registers.hpp"

namespace gemel::arch {

namespace {

using u128 = unsigned __int128;

constexpr u32 timer_interrupt = 27; // the virtual timer's private line
constexpr u32 call_line = 1; // another processor's: come into the kernel
constexpr u64 power_off_function = 0x8400'0008; // PSCI SYSTEM_OFF

void flush_all_translations()
{
    asm volatile("dsb ishst; tlbi vmalle1is; dsb ish; isb" : : : "memory");
}

u64 product_32_32(u64 value, u64 factor)
{
    return static_cast<u64>((u128 { value } * factor) >> 32);
}

} // namespace

void Machine::zero_page(void* page) noexcept
{
    auto* at = static_cast<u64*>(page);
    auto* const end = at + page_bytes / sizeof(u64);
    do {
        asm volatile("stp xzr, xzr, [%0], #16" : "+r"(at) : : "memory");
    } while (at != end);
}

// The page may have been another root under the same ASID: none of its translations may survive.
void Machine::root_created(void* root) noexcept
{
    for (auto& roots : asid_roots_)
        roots[physical_of(root) / page_bytes % asid_count] = 0;
}

// An ASID is the root's page number modulo 256; whoever takes one over flushes what it left: once
// the old root is gone, or speculation would go on filling it from there.
void Machine::activate(u64 root) noexcept
{
    auto const asid = root / page_bytes % asid_count;
    asm volatile("msr ttbr0_el1, %0; isb" : : "r"(root | asid << 48) : "memory");
    auto& owner = asid_roots_[cpu_number()][asid];
    if (owner != root) {
        owner = root;
        asm volatile("dsb nshst; tlbi aside1, %0; dsb nsh; isb" : : "r"(asid << 48) : "memory");
    }
}

// Another page takes the place of one: no processor may have both in its translations (D8.16.1,
// break-before-make).
void Machine::change_entry(u64& entry, u64 value) noexcept
{
    if ((entry & entry::valid) != 0 && ((entry ^ value) & entry::address_mask) != 0) {
        __atomic_store_n(&entry, 0, __ATOMIC_RELAXED);
        asm volatile("dsb ishst; tlbi vmalle1is; dsb ish; isb" : : : "memory"); // flush, in line
    }
    __atomic_store_n(&entry, value, __ATOMIC_RELAXED);
}

// Entries that were invalid are never cached, so a new link needs no flush.
void Machine::leaf_linked(u64, u64, void* leaf, u16 flags) noexcept
{
    if (entry::allows(flags, VmFlag::execute))
        synchronize_instructions(static_cast<u64 const*>(leaf), 0, region_pages_max);
    else
        asm volatile("dsb ishst; isb" : : : "memory");
}

void Machine::leaf_unlinked(u64, u64, void*) noexcept
{
    flush_all_translations();
}

// The leaf may be linked executable somewhere: what now stands in it must be seen by fetches.
void Machine::leaf_changed(void* leaf, u32 first, u32 pages) noexcept
{
    flush_all_translations();
    synchronize_instructions(static_cast<u64 const*>(leaf), first, pages);
}

// The kernel still asks where the entries lead, so they only stop being valid.
void Machine::leaf_emptied(void* leaf) noexcept
{
    auto* const entries = static_cast<u64*>(leaf);
    for (u32 i = 0; i < region_pages_max; ++i)
        entries[i] &= ~entry::valid;
    flush_all_translations();
}

void Machine::synchronize_instructions(u64 const* leaf, u32 first, u32 pages) noexcept
{
    auto const line_bytes = u64 { 4 } << (READ_REGISTER(ctr_el0) >> 16 & 15);
    for (auto i = first; i < first + pages; ++i) {
        // Device windows are not cached; cleaning one would be an access to the device.
        if ((leaf[i] & entry::normal_memory) == 0)
            continue;
        auto at = direct_map | (leaf[i] & entry::address_mask);
        // Nor can be cleaned what the kernel does not see: physical regions reach beyond RAM.
        u64 translated;
        asm volatile("at s1e1r, %1; isb; mrs %0, par_el1" : "=r"(translated) : "r"(at) : "memory");
        if ((translated & 1) != 0)
            continue;
        for (auto const end = at + page_bytes; at != end; at += line_bytes)
            asm volatile("dc cvau, %0" : : "r"(at) : "memory");
    }
    asm volatile("dsb ish; ic ialluis; dsb ish; isb" : : : "memory");
}

u64 Machine::now_ns() noexcept
{
    asm volatile("isb");
    return product_32_32(
        READ_REGISTER(cntvct_el0) - the_machine.counter_start_, the_machine.nanoseconds_per_tick_);
}

// The last instant, ~0, comes out centuries away: never.
void Machine::wake_at(u64 deadline_ns) noexcept
{
    auto const ticks = product_32_32(deadline_ns, the_machine.ticks_per_nanosecond_) + 1;
    WRITE_REGISTER(cntv_cval_el0, the_machine.counter_start_ + ticks);
}

void Machine::wait_for_interrupt() noexcept
{
    asm volatile("dsb sy; wfi" : : : "memory");
}

// Software-generated interrupt 1. Version 2 counts its own interfaces, which are the processors'
// Aff0.
void Machine::interrupt_cpu(u32 number) noexcept
{
    auto const affinity = u64 { the_machine.affinities_[number] };
    asm volatile("dsb ishst" : : : "memory"); // what the other is to see is there
    if (the_machine.cpu_interface_) {
        the_machine.distributor_[gic::software / 4] = 1u << (16 + (affinity & 7)) | call_line;
        return;
    }
    WRITE_REGISTER(ICC_SGI1R_EL1,
        (affinity >> 16 & 0xFF) << 32 | u64 { call_line } << 24 | (affinity >> 8 & 0xFF) << 16
            | 1u << (affinity & 15));
    asm volatile("isb" : : : "memory");
}

u32 Machine::interrupt_taken() noexcept
{
    auto const acknowledged = the_machine.cpu_interface_
        ? the_machine.cpu_interface_[gic::acknowledge / 4]
        : static_cast<u32>(READ_REGISTER(ICC_IAR1_EL1));
    auto line = acknowledged & gic::line_mask;
    if (line >= interrupt_lines_max)
        return interrupt_lines_max;
    if (line == timer_interrupt) {
        WRITE_REGISTER(cntv_cval_el0, ~0ull);
        line = tick_line;
    } else if (line == call_line) {
        line = interrupt_lines_max;
    } else {
        auto* const enables
            = line < gic::private_lines ? processor().private_lines : the_machine.distributor_;
        enables[gic::disable / 4 + line / 32] = 1u << line % 32;
    }
    asm volatile("dsb sy; isb" : : : "memory"); // the line is quiet before its end is told
    if (the_machine.cpu_interface_)
        the_machine.cpu_interface_[gic::end / 4] = acknowledged;
    else
        WRITE_REGISTER(ICC_EOIR1_EL1, u64 { acknowledged });
    return line;
}

void Machine::interrupt_unmask(u32 line) noexcept
{
    auto* const enables
        = line < gic::private_lines ? processor().private_lines : the_machine.distributor_;
    enables[gic::enable / 4 + line / 32] = 1u << line % 32;
}

void Machine::console_write(char character) noexcept
{
    while (the_machine.uart_[pl011::flags / 4] & pl011::transmit_full) { }
    the_machine.uart_[pl011::data / 4] = static_cast<u8>(character);
}

// SplitMix64 over the boot seed, the counter and, where there is one, the processor's own source.
u64 Machine::entropy() noexcept
{
    u64 fresh = 0;
    if (the_machine.random_instruction_)
        fresh = READ_REGISTER(S3_3_C2_C4_0); // RNDR; 0 when it has none to give
    the_machine.entropy_ += (fresh ^ READ_REGISTER(cntvct_el0)) + 0x9E37'79B9'7F4A'7C15;
    auto mixed = the_machine.entropy_;
    mixed = (mixed ^ mixed >> 30) * 0xBF58'476D'1CE4'E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D0'49BB'1331'11EB;
    return mixed ^ mixed >> 31;
}

void Machine::print(char const* text) noexcept
{
    while (*text)
        console_write(*text++);
}

void Machine::print_hexadecimal(u64 value) noexcept
{
    print(" 0x");
    for (int shift = 60; shift >= 0; shift -= 4)
        console_write("0123456789abcdef"[value >> shift & 15]);
}

void Machine::power_off(u8 status) noexcept
{
    print("\ngemel: power off, status ");
    for (u32 unit = 100; unit != 0; unit /= 10)
        if (status >= unit || unit == 1)
            console_write(static_cast<char>('0' + status / unit % 10));
    print("\n");
    register u64 function asm("x0") = power_off_function;
    if (the_machine.conduit_ == Conduit::hvc)
        asm volatile("hvc #0" : "+r"(function) : : "memory");
    else if (the_machine.conduit_ == Conduit::smc)
        asm volatile("smc #0" : "+r"(function) : : "memory");
    while (true)
        asm volatile("wfi");
}

} // namespace gemel::arch
