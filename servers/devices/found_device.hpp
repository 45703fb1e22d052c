// What a search yields: one device, and how its registers and its interrupt are reached.
#pragma once

#include "servers/protocols/devices.hpp"
#include "servers/rt/broker.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace gemel::devices {

// What the manager may do with the machine. An empty broker finds nothing.
struct Brokers {
    PhysBroker phys;
    IrqBroker irq;
    PioBroker pio;
};

// Registers in memory or ports: `base` is a physical address or the first port.
struct RegisterRange {
    u64 base = 0;
    u32 bytes = 0; // 0: there are none
    u32 notify_multiplier = 0;
};

inline constexpr usize window_roles = 5; // protocol::WindowRole

// A PCI function's place, and where its MSI-X table lies.
struct PciInterrupt {
    u32 function = 0; // configuration address (bus, device, function), register 0
    u32 capability = 0; // offset of the MSI-X capability
    u64 table = 0; // physical address of its first entry
};

struct FoundDevice {
    std::string_view device_class;
    protocol::DeviceKind kind = protocol::DeviceKind::virtio_mmio;
    protocol::WindowKind window = protocol::WindowKind::memory;
    std::array<RegisterRange, window_roles> ranges; // by role
    RegisterRange shared; // memory shared with the driver; `base` is physical
    u32 line = 0; // 0: none, or not known yet (MSI-X)
    std::optional<PciInterrupt> pci;
};

// "block", "net", ... for a virtio device id (Virtio 1.2, 5).
std::string_view virtio_class(u32 device_id);

// The first registers of a virtio-mmio device (4.2.2).
inline constexpr u32 virtio_magic = 0x7472'6976; // "virt"
inline constexpr u32 virtio_mmio_version = 2;
inline constexpr u32 virtio_mmio_bytes = 0x200;

} // namespace gemel::devices
