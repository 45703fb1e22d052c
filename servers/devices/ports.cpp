// Devices at fixed I/O ports: COM1's 16550, and the virtio-mmio register files of the hosted
// machine. A read where nobody answers gives ones.
#include "servers/devices/probe.hpp"

namespace gemel::devices {
namespace {

using protocol::DeviceKind;
using protocol::WindowKind;
using protocol::WindowRole;

constexpr u32 uart_port = 0x3F8;
constexpr u32 uart_ports = 8;
constexpr u32 uart_line = 4;
constexpr u32 uart_scratch = 7; // keeps what is written

constexpr u32 virtio_port = 0x1000;
constexpr u32 virtio_ports = 0x200;
constexpr u32 virtio_slots = 8;
constexpr u32 virtio_line = 8;

// Virtio 1.2, 4.2.2.
constexpr u32 virtio_magic = 0x7472'6976;
constexpr u32 magic_register = 0x00;
constexpr u32 version_register = 0x04;
constexpr u32 device_register = 0x08;

bool keeps(PioBroker const& pio, u8 value)
{
    if (!pio.write(uart_port + uart_scratch, 1, value))
        return false;
    auto const got = pio.read(uart_port + uart_scratch, 1);
    return got && *got == value;
}

u32 read_or_ones(PioBroker const& pio, u32 port)
{
    return pio.read(port, 4).value_or(~0u);
}

} // namespace

std::string class_of_virtio(u32 type)
{
    switch (type) {
    case 1:
        return "net";
    case 2:
        return "block";
    case 3:
        return "virtio-console";
    case 4:
        return "entropy";
    case 16:
        return "gpu";
    case 18:
        return "input";
    default:
        return concatenate("virtio-", type);
    }
}

void find_ports(PioBroker const& pio, std::vector<Found>& found)
{
    if (keeps(pio, 0x5A) && keeps(pio, 0xA5)) {
        Found uart { "console", DeviceKind::uart_16550, uart_line, {}, {}, {} };
        uart.places.push_back(
            { WindowRole::registers, WindowKind::ports, uart_port, uart_ports, 0 });
        found.push_back(std::move(uart));
    }
    for (u32 slot = 0; slot < virtio_slots; ++slot) {
        auto const base = virtio_port + slot * virtio_ports;
        if (read_or_ones(pio, base + magic_register) != virtio_magic
            || read_or_ones(pio, base + version_register) != 2)
            continue;
        auto const type = read_or_ones(pio, base + device_register);
        if (type == 0)
            continue;
        Found device { class_of_virtio(type), DeviceKind::virtio_mmio, virtio_line + slot, {}, {},
            {} };
        device.places.push_back(
            { WindowRole::registers, WindowKind::ports, base, virtio_ports, 0 });
        found.push_back(std::move(device));
    }
}

} // namespace gemel::devices
