// What a new program is told: one page that its loader fills and maps read-only; its address is
// the first thread's argument. The kernel fills init's own (its capabilities: see the names below).
#pragma once

#include "core/base/types.hpp"

#include <array>

namespace gemel {

inline constexpr u64 startup_magic = 0x31'50'55'4C'45'4D'45'47; // "GEMELUP1"
inline constexpr usize startup_capabilities_max = 32;
inline constexpr usize startup_text_max = 2048;

// The last addresses of a program are its pager's to map: a fault there may be mended.
inline constexpr u64 paged_bytes = u64 { 1 } << 34;

struct StartupCapability {
    char name[24]; // NUL-terminated
    u64 handle;
};

struct Startup {
    u64 magic = startup_magic;
    u64 task_id = 0;
    // Where the program's own memory may start; everything up to `address_end` is its to use
    // through vm_allocate with address 0 (the kernel chooses) or a hint.
    u64 address_begin = 0;
    u64 address_end = 0;
    u64 stack_base = 0; // lowest address of the first thread's stack
    u64 stack_bytes = 0;
    // init only: the boot bundle (newc cpio), mapped read-only over consecutive regions, and what
    // the machine knows of itself (physical addresses, 0 where there is none).
    u64 bundle_address = 0;
    u64 bundle_bytes = 0;
    u64 acpi_rsdp = 0;
    u64 device_tree = 0; // physical
    u64 device_tree_bytes = 0;
    u64 boot_ns = 0; // monotonic time at which the kernel started
    u64 stack_guard = 0; // random bits above a NUL byte; init's is 0: it asks for some itself
    u64 chance = 0; // random bits for the places of its memory; init's, too, is 0
    u64 cpus = 0; // processors that run threads (init's page; elsewhere 0)
    u32 capability_count = 0;
    u32 argument_count = 0; // NUL-terminated strings in `text`, arguments first,
    u32 variable_count = 0; // then NAME=value variables
    u32 text_bytes = 0;
    std::array<StartupCapability, startup_capabilities_max> capabilities {};
    std::array<char, startup_text_max> text {};
};
static_assert(sizeof(Startup) <= page_bytes);

// init's capabilities, made by the kernel: "task-self" (its own task), "broker-task", "broker-mm",
// "broker-phys", "broker-irq", "broker-pio", "broker-sched", "broker-audit", "broker-machine", and
// "bundle" for each region of the boot bundle in their order.
// Its boot arguments (kernel command line, `key=value` words) are its variables.

} // namespace gemel
