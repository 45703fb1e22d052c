// The device manager: what is in the machine, and a driver's share of it. A driver never sees a
// bus: it asks for a class of device and gets windows, an interrupt and the right to learn
// addresses.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

enum class DeviceKind : u8 {
    virtio_mmio = 1,
    virtio_pci = 2,
    uart_16550 = 3,
    pl011 = 4,
    host_mount = 5, // servers/hostmount/ring.hpp
    cmos_clock = 6, // an index port and a data port
    pl031 = 7,
};

// What a window is for. Devices with one register file have only `registers`.
enum class WindowRole : u8 {
    registers = 0,
    virtio_common = 1, // Virtio 1.2, 4.1.4: the structures of the PCI transport
    virtio_notify = 2,
    virtio_isr = 3,
    virtio_device = 4,
};

// How its registers are reached.
enum class WindowKind : u8 {
    ports = 0, // the window is a PIO broker; `base` is the first port
    memory = 1, // the window is a region; `base` is the byte offset in it
};

// One device, given to one driver: a second Open of it answers exists, until this is closed.
struct Device {
    static constexpr std::string_view name = "device";

    struct Window {
        WindowRole role = WindowRole::registers;
        struct Reply {
            WindowKind kind = WindowKind::ports;
            u64 base = 0;
            u32 bytes = 0;
            u32 notify_multiplier = 0; // virtio_notify only
            Handle window;
        };
    };

    // Signals `port` (send) with `bits` at each interrupt. After one, the driver serves the device
    // and calls irq_acknowledge(line) on `interrupt`. `vector` is what a virtio-pci driver tells
    // the device to use (MSI-X table index); 0xFFFF: the device has one line and no vectors.
    struct Interrupt {
        u64 bits = 0;
        Handle port;
        struct Reply {
            u32 line = 0;
            u16 vector = 0xFFFF;
            Handle interrupt;
        };
    };

    // A broker for region_address, for what the device reads and writes itself.
    struct Memory {
        struct Reply {
            Handle phys;
        };
    };

    // Memory that belongs to the device and is shared with its driver, in pieces of
    // region_bytes_max: piece `index`, read and write. not_found past the last.
    struct Shared {
        u32 index = 0;
        struct Reply {
            Handle region;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages
        = MessageList<Message<1, "window", Window, Fields<"role">,
                          Fields<"kind", "base", "bytes", "notify_multiplier", "window">>,
            Message<2, "interrupt", Interrupt, Fields<"bits", "port">,
                Fields<"line", "vector", "interrupt">>,
            Message<3, "memory", Memory, Fields<>, Fields<"phys">>,
            Message<4, "shared", Shared, Fields<"index">, Fields<"region">>>;
};

struct Devices {
    static constexpr std::string_view name = "devices";

    // Device `index` (0 first) of a class: "block", "net", "console", "clock", "entropy", ...
    // not_found: no such device; exists: another driver has it.
    struct Open {
        Text<16> device_class;
        u32 index = 0;
        struct Reply {
            DeviceKind kind = DeviceKind::virtio_mmio;
            Handle device;
        };
    };

    // All devices in the order they were found; not_found past the last.
    struct List {
        u32 index = 0;
        struct Reply {
            Text<16> device_class;
            DeviceKind kind = DeviceKind::virtio_mmio;
            u32 line = 0;
            u64 base = 0; // physical address or port of its registers
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<
        Message<1, "open", Open, Fields<"device_class", "index">, Fields<"kind", "device">>,
        Message<2, "list", List, Fields<"index">, Fields<"device_class", "kind", "line", "base">>>;
};

} // namespace gemel::protocol
