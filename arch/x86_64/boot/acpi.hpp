// The little of ACPI that the kernel needs: interrupt controllers, the power management timer and
// the way to switch the machine off. The rest is read in user space.
#pragma once

#include "arch/x86_64/boot/physical.hpp"

#include <span>

namespace gemel::arch::boot {

inline constexpr u32 acpi_io_apics_max = 8;
inline constexpr u32 acpi_cpus_max = 64;
inline constexpr u32 isa_lines = 16;

struct AcpiIoApic {
    u64 address = 0;
    u32 first_line = 0;
};

// How an ISA interrupt reaches the I/O APICs.
struct IsaLine {
    u32 line = 0; // which input
    bool low = false;
    bool level = false;
};

struct AcpiFacts {
    AcpiIoApic io_apics[acpi_io_apics_max]; // ascending by first line
    u32 io_apic_count = 0;
    IsaLine isa[isa_lines];
    u32 cpus[acpi_cpus_max]; // the local APICs' numbers, of processors that may be used
    u32 cpu_count = 0;
    u16 power_control = 0; // PM1a control, 0: none
    u16 power_off_value = 0;
    u16 timer = 0; // 3.579545 MHz counter's port, 0: none
    u16 switch_on_port = 0; // where `switch_on_value` starts ACPI mode; 0: it is on
    u8 switch_on_value = 0;
};

// `rsdp` may be 0: then the BIOS area is searched and its address returned in it. What is missing
// or broken leaves the PC's classic values.
AcpiFacts read_acpi(Physical const& memory, u64& rsdp);

} // namespace gemel::arch::boot
