// The two objects of the native machine, and the entries that src/entry.S calls.
#include "arch/arm64/src/main.hpp"

#include "arch/arm64/src/registers.hpp"

#include <new>

namespace gemel::arch {

namespace {

alignas(Kernel) constinit u8 kernel_storage[sizeof(Kernel)] = {};

struct ExceptionClass {
    u8 number; // ESR_EL1.EC
    FaultKind kind;
};

constexpr ExceptionClass exception_classes[] = {
    { 0x20, FaultKind::page }, // instruction abort
    { 0x24, FaultKind::page }, // data abort
    { 0x22, FaultKind::alignment }, // program counter
    { 0x26, FaultKind::alignment }, // stack pointer
    { 0x00, FaultKind::illegal_instruction }, // unknown
    { 0x01, FaultKind::illegal_instruction }, // WFI
    { 0x07, FaultKind::illegal_instruction }, // FPU
    { 0x0E, FaultKind::illegal_instruction }, // illegal state
    { 0x18, FaultKind::illegal_instruction }, // system register
    { 0x2C, FaultKind::arithmetic }, { 0x30, FaultKind::breakpoint }, // hardware breakpoint
    { 0x32, FaultKind::breakpoint }, // single step
    { 0x34, FaultKind::breakpoint }, // watchpoint
    { 0x3C, FaultKind::breakpoint }, // BRK
};

FaultKind kind_of(u64 syndrome)
{
    constexpr u64 data_alignment = 0x21;
    auto const number = syndrome >> 26;
    if (number == 0x24 && (syndrome & 0x3F) == data_alignment)
        return FaultKind::alignment;
    for (auto const& known : exception_classes)
        if (known.number == number)
            return known.kind;
    return FaultKind::other;
}

} // namespace

constinit Machine the_machine asm("the_machine");

Kernel& the_kernel()
{
    return *std::launder(reinterpret_cast<Kernel*>(kernel_storage));
}

extern "C" {

// Every way out: after it, the frame is only ours to leave into.
[[gnu::noinline]] void leave()
{
    auto& kernel = the_kernel();
    while (!kernel.cpu().current)
        [[unlikely]] kernel.rest();
    kernel.leave();
}

void system_called()
{
    the_kernel().enter();
    the_kernel().on_system_call();
    leave();
}

void thread_faulted(u64 syndrome, u64 address)
{
    auto const kind = kind_of(syndrome);
    the_kernel().enter();
    the_kernel().on_fault({ kind, kind == FaultKind::page ? address : 0, syndrome });
    leave();
}

void machine_interrupted()
{
    the_kernel().enter();
    the_kernel().on_interrupt(the_machine.interrupt_taken());
    leave();
}

// Another processor's first resident code: the lock is free once the first has left boot code.
void processor_started()
{
    the_kernel().enter();
    asm volatile("tlbi vmalle1; dsb nsh; isb" : : : "memory");
    the_kernel().on_interrupt(interrupt_lines_max);
    leave();
}

// Prints the three.
[[noreturn, gnu::cold]] void kernel_faulted(u64 syndrome, u64 instruction, u64 address)
{
    the_machine.print("\ngemel: panic");
    for (auto const value : { syndrome, instruction, address })
        the_machine.print_hexadecimal(value);
    the_machine.power_off(status_kernel_failed);
    __builtin_unreachable();
}

// The last of boot: its own code and data go, and the first thread begins.
[[noreturn]] void boot_finished(u64* first_page, u64 pages)
{
    for (u64 i = 0; i < pages; ++i)
        first_page[i] = 0;
    asm volatile("dsb ishst; tlbi vmalle1is; dsb ish; isb" : : : "memory");
    leave();
    asm volatile("b leave_kernel" : : : "memory");
    __builtin_unreachable();
}

} // extern "C"

} // namespace gemel::arch
