// A device that was found, before anybody has it.
#pragma once

#include "servers/protocols/devices.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gemel::devices {

inline constexpr usize devices_max = 128;

// One register window: I/O ports, or physical memory.
struct Place {
    protocol::WindowRole role = protocol::WindowRole::registers;
    protocol::WindowKind kind = protocol::WindowKind::ports;
    u64 base = 0; // port, or physical address
    u32 bytes = 0;
    u32 notify_multiplier = 0;
};

// Where a PCI function's configuration is.
struct PciFunction {
    u8 bus = 0;
    u8 slot = 0;
    u8 function = 0;
};

// A PCI function that can raise message-signalled interrupts (PCI 3.0, 6.8.2).
struct Msix {
    u8 capability = 0; // offset in configuration space
    u64 table_physical = 0;
};

struct Found {
    std::string device_class; // "block", "console", ...
    protocol::DeviceKind kind = protocol::DeviceKind::virtio_mmio;
    u32 line = 0; // 0: none known
    std::vector<Place> places;
    std::optional<PciFunction> pci;
    std::optional<Msix> msix;
};

// Virtio 1.2, section 5: device types.
std::string class_of_virtio(u32 type);

} // namespace gemel::devices
