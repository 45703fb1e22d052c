// The two objects of the native machine, and the entries that src/entry.S calls.
#include "arch/arm64/src/main.hpp"

#include "arch/arm64/src/registers.hpp"
#include "core/base/assert.hpp"

#include <new>

namespace gemel::arch {

namespace {

alignas(Kernel) constinit u8 kernel_storage[sizeof(Kernel)] = {};

constexpr u8 status_kernel_failed = 125;

FaultKind kind_of(u64 syndrome)
{
    constexpr u64 alignment_fault = 0x21;
    switch (syndrome >> 26) { // ESR_EL1.EC
    case 0x20: // instruction abort
        return FaultKind::page;
    case 0x24: // data abort
        return (syndrome & 0x3F) == alignment_fault ? FaultKind::alignment : FaultKind::page;
    case 0x22: // program counter
    case 0x26: // stack pointer
        return FaultKind::alignment;
    case 0x00: // unknown
    case 0x01: // WFI
    case 0x07: // SVE, FPU
    case 0x0E: // illegal state
    case 0x18: // system register
        return FaultKind::illegal_instruction;
    case 0x2C:
        return FaultKind::arithmetic;
    case 0x30: // hardware breakpoint
    case 0x32: // single step
    case 0x34: // watchpoint
    case 0x3C: // BRK
        return FaultKind::breakpoint;
    }
    return FaultKind::other;
}

} // namespace

constinit Machine the_machine asm("the_machine");

Kernel& the_kernel()
{
    return *std::launder(reinterpret_cast<Kernel*>(kernel_storage));
}

extern "C" {

void system_called()
{
    the_kernel().on_system_call();
}

void thread_faulted(u64 syndrome, u64 address)
{
    auto const kind = kind_of(syndrome);
    the_kernel().on_fault({ kind, kind == FaultKind::page ? address : 0, syndrome });
}

void machine_interrupted()
{
    the_kernel().on_interrupt(the_machine.interrupt_acknowledge());
}

[[noreturn, gnu::cold]] void kernel_faulted(u64 syndrome, u64 instruction, u64 address)
{
    the_machine.print("\ngemel: kernel exception");
    the_machine.print_hexadecimal(syndrome);
    the_machine.print(" at");
    the_machine.print_hexadecimal(instruction);
    the_machine.print(" address");
    the_machine.print_hexadecimal(address);
    the_machine.power_off(status_kernel_failed);
    __builtin_unreachable();
}

// The last of boot: its own code and data go, and the first thread begins.
[[noreturn]] void boot_finished(u64* first_page, u64 pages)
{
    for (u64 i = 0; i < pages; ++i)
        first_page[i] = 0;
    asm volatile("dsb ishst; tlbi vmalle1is; dsb ish; isb; b leave_kernel" : : : "memory");
    __builtin_unreachable();
}

} // extern "C"

} // namespace gemel::arch

namespace gemel {

void assertion_failed(char const* expression, char const* file, int line)
{
    auto& machine = arch::the_machine;
    machine.print("\ngemel: kernel assertion ");
    machine.print(expression);
    machine.print(" in ");
    machine.print(file);
    machine.print_hexadecimal(static_cast<u64>(line));
    machine.power_off(arch::status_kernel_failed);
    __builtin_unreachable();
}

} // namespace gemel
