// What the boot loader tells: QEMU's -kernel by PVH, GRUB by multiboot2.
#pragma once

#include "arch/x86_64/boot/memory_map.hpp"
#include "arch/x86_64/boot/physical.hpp"

namespace gemel::arch::boot {

inline constexpr u32 command_line_bytes_max = 4096;
inline constexpr u32 multiboot2_magic = 0x36D7'6289; // in eax when a multiboot2 loader starts us

struct Loaded {
    MemoryMap memory; // all RAM, our image and the bundle included
    u64 bundle = 0; // physical
    u64 bundle_bytes = 0;
    u64 acpi_rsdp = 0; // physical; 0: not told
    char command_line[command_line_bytes_max] = {}; // cut at its bound
};

// `info` is what the loader left in ebx. False: it is not what it should be.
bool read_pvh(Physical const& memory, u64 info, Loaded& loaded);
bool read_multiboot2(Physical const& memory, u64 info, Loaded& loaded);

} // namespace gemel::arch::boot
