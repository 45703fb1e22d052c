// Segments, the interrupt table, the task state and the system call registers.
#include "arch/x86_64/boot/setup.hpp"

extern "C" {
extern gemel::u64 gemel_segments[5 + 2 * gemel::cpus_max];
extern gemel::u64 const gemel_exception_entries[33];
extern gemel::u64 const gemel_system_call_entries[gemel::cpus_max];
extern gemel::u8 gemel_panic_stack_top[];
extern gemel::u64 gemel_gates[512];
}

namespace gemel::arch {

namespace {

struct Gate {
    u64 low;
    u64 high;
};

struct [[gnu::packed]] TablePointer {
    u16 limit;
    u64 base;
};

constexpr u32 exceptions = 32;
constexpr u64 present = 1ull << 47;
constexpr u64 interrupt_gate = 0xEull << 40;
constexpr u64 from_user = 3ull << 45;
constexpr u64 panic_stack = 1ull << 32; // the first of the task state's
constexpr u64 flags_cleared = 0x25'7FD5; // all there are

bool panics(u32 vector)
{
    constexpr u32 nmi = 2;
    constexpr u32 double_fault = 8;
    constexpr u32 machine_check = 18;
    return vector == nmi || vector == double_fault || vector == machine_check;
}

bool allowed_to_user(u32 vector)
{
    constexpr u32 breakpoint = 3;
    constexpr u32 overflow = 4;
    constexpr u32 thread_pointer = 31;
    return vector == breakpoint || vector == overflow || vector == thread_pointer;
}

Gate gate_of(u32 vector)
{
    auto const offset = gemel_exception_entries[vector < exceptions ? vector : exceptions];
    if (offset == 0)
        return {};
    auto low = (offset & 0xFFFF) | u64 { kernel_code_selector } << 16 | present | interrupt_gate
        | (offset >> 16 & 0xFFFF) << 48;
    if (panics(vector))
        low |= panic_stack;
    if (allowed_to_user(vector))
        low |= from_user;
    return { low, offset >> 32 };
}

void load_segments(u32 cpu)
{
    auto const state = reinterpret_cast<u64>(&gemel_task_states[cpu]);
    constexpr u64 available_task_state = 0x89ull << 40;
    auto const selector = task_state_selector + 16 * cpu;
    gemel_segments[selector / 8] = (task_state_bytes - 1) | (state & 0xFF'FFFF) << 16
        | available_task_state | (state >> 24 & 0xFF) << 56;
    gemel_segments[selector / 8 + 1] = state >> 32;
    TablePointer const segments { sizeof(gemel_segments) - 1,
        reinterpret_cast<u64>(gemel_segments) };
    asm volatile("lgdt %0\n ltr %w1" ::"m"(segments), "r"(selector));
}

} // namespace

void Setup::traps()
{
    for (u32 vector = 0; vector < 256; ++vector) {
        auto const gate = gate_of(vector);
        gemel_gates[2 * vector] = gate.low;
        gemel_gates[2 * vector + 1] = gate.high;
    }
}

void Setup::descriptors(u32 cpu)
{
    auto& state = gemel_task_states[cpu];
    state.ist[0] = reinterpret_cast<u64>(gemel_panic_stack_top);
    state.kernel_stack = kernel_stack(cpu);
    load_segments(cpu);
    TablePointer const interrupts { sizeof(gemel_gates) - 1, reinterpret_cast<u64>(gemel_gates) };
    asm volatile("lidt %0" ::"m"(interrupts));
    // SYSRET takes its selectors from 16 and 8 above the upper half (Intel SDM volume 3, 5.8.8).
    write_msr(
        Msr::star, u64 { kernel_data_selector | 3 } << 48 | u64 { kernel_code_selector } << 32);
    write_msr(Msr::lstar, gemel_system_call_entries[cpu]);
    write_msr(Msr::fmask, flags_cleared);
}

} // namespace gemel::arch
