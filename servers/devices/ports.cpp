#include "servers/devices/ports.hpp"

namespace gemel::devices {
namespace {

constexpr u32 com1_port = 0x3F8;
constexpr u32 com1_ports = 8;
constexpr u32 com1_line = 4;
constexpr u32 scratch = 7;

constexpr u32 cmos_port = 0x70;
constexpr u32 cmos_ports = 2;
constexpr u32 cmos_status_d = 0x0D;
constexpr u32 cmos_power_good = 0x80;

constexpr u32 virtio_port = 0x1000; // of the first
constexpr u32 virtio_line = 8;
constexpr u32 virtio_devices_max = 8;
constexpr u32 host_mount_port = 0x2000; // servers/hostmount/ring.hpp
constexpr u32 host_mount_ports = 0x20;
constexpr u32 host_mount_line = 16;
constexpr u32 host_mount_magic = 0x544E'4D47; // "GMNT"
constexpr u32 host_mount_first_page = 0x0C;
constexpr u32 host_mount_pages = 0x10;

constexpr u32 version_register = 0x004;
constexpr u32 device_id_register = 0x008;

bool scratch_keeps(PioBroker const& pio, u32 value)
{
    return pio.write(com1_port + scratch, 1, value)
        && pio.read(com1_port + scratch, 1).value_or(~value) == value;
}

} // namespace

void find_serial_port(PioBroker const& pio, std::vector<FoundDevice>& found)
{
    if (!scratch_keeps(pio, 0x5A) || !scratch_keeps(pio, 0xA5))
        return;
    FoundDevice device;
    device.device_class = "console";
    device.kind = protocol::DeviceKind::uart_16550;
    device.window = protocol::WindowKind::ports;
    device.ranges[0] = { com1_port, com1_ports };
    device.line = com1_line;
    found.push_back(device);
}

// The chip says that its time is valid; the other bits of that register are always 0.
void find_clock(PioBroker const& pio, std::vector<FoundDevice>& found)
{
    if (!pio.write(cmos_port, 1, cmos_status_d)
        || pio.read(cmos_port + 1, 1).value_or(0) != cmos_power_good)
        return;
    FoundDevice device;
    device.device_class = "clock";
    device.kind = protocol::DeviceKind::cmos_clock;
    device.window = protocol::WindowKind::ports;
    device.ranges[0] = { cmos_port, cmos_ports };
    found.push_back(device);
}

void find_virtio_ports(PioBroker const& pio, std::vector<FoundDevice>& found)
{
    for (u32 i = 0; i < virtio_devices_max; ++i) {
        auto const port = virtio_port + i * virtio_mmio_bytes;
        if (pio.read(port, 4).value_or(0) != virtio_magic
            || pio.read(port + version_register, 4).value_or(0) != virtio_mmio_version)
            continue;
        auto const id = pio.read(port + device_id_register, 4).value_or(0);
        if (id == 0)
            continue; // an empty place (Virtio 1.2, 4.2.2)
        FoundDevice device;
        device.device_class = virtio_class(id);
        device.window = protocol::WindowKind::ports;
        device.ranges[0] = { port, virtio_mmio_bytes };
        device.line = virtio_line + i;
        found.push_back(device);
    }
}

void find_host_mount(PioBroker const& pio, std::vector<FoundDevice>& found)
{
    if (pio.read(host_mount_port, 4).value_or(0) != host_mount_magic)
        return;
    FoundDevice device;
    device.device_class = "host-mount";
    device.kind = protocol::DeviceKind::host_mount;
    device.window = protocol::WindowKind::ports;
    device.ranges[0] = { host_mount_port, host_mount_ports };
    device.shared.base
        = pio.read(host_mount_port + host_mount_first_page, 4).value_or(0) * page_bytes;
    device.shared.bytes
        = pio.read(host_mount_port + host_mount_pages, 4).value_or(0) * u32 { page_bytes };
    device.line = host_mount_line;
    found.push_back(device);
}

} // namespace gemel::devices
