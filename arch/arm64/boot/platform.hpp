// What the device tree says of the machine, as far as the kernel itself needs it.
#pragma once

#include "core/kernel.hpp"

#include <array>

namespace gemel::arch {

// How the firmware is called (PSCI).
enum class Conduit : u8 { none, hvc, smc };

struct Gic {
    u32 version = 0; // 2 or 3; 0: none found
    u64 distributor = 0; // physical
    u64 second = 0; // version 2: processor interface; 3: redistributors
    u64 second_bytes = 0;
};

// Physical ranges in no order.
struct RangeList {
    static constexpr u32 max = 32;

    std::array<MemoryRange, max> items {};
    u32 count = 0;

    // A list that is full drops the range: memory that is never used.
    void add(u64 begin, u64 end);
    // Takes a range out of all others, in whole pages. Where no entry is left to split one, its
    // upper part goes too.
    void remove(u64 begin, u64 end);
    // Leaves whole pages only.
    void shrink_to_pages();
};

struct Platform {
    RangeList memory;
    RangeList reserved;
    MemoryRange device_tree;
    MemoryRange bundle; // the initrd
    char const* command_line = "";
    Gic gic;
    u64 uart = 0; // PL011, physical; 0: none found
    Conduit conduit = Conduit::none;
    std::array<u64, cpus_max> processors {}; // affinities, as MPIDR_EL1 has them
    u32 processor_count = 0;
    u64 seed = 0;
};

// Reads the tree at `blob`, whose physical address is `physical`. False: not a device tree, or one
// without memory, PL011 or GIC.
bool read_device_tree(void const* blob, u64 physical, Platform& platform);

// `cpus=N` of the command line: at most so many processors; without it, all.
u32 processors_wanted(char const* command_line);

// The kernel's own translation tables, active on return: the image at `image` (physical) with each
// section's rights, `ram` and the devices in the direct map; TTBR0 is empty. The tables' pages are
// taken from the front of `free`'s first range, which the early tables must reach. Returns the
// entries of the boot code and data: boot_finished clears them.
u64* map_kernel(Platform const& platform, u64 image, RangeList const& ram, RangeList& free);

} // namespace gemel::arch
