#include "servers/devices/pci.hpp"

#include "servers/rt/region.hpp"

namespace gemel::devices {
namespace {

constexpr u32 address_port = 0xCF8;
constexpr u32 data_port = 0xCFC;
constexpr u32 address_enable = 0x8000'0000;

// Configuration space (PCI Local Bus 3.0, 6.1).
constexpr u32 identity = 0x00;
constexpr u32 command = 0x04;
constexpr u32 header_type = 0x0E;
constexpr u32 first_bar = 0x10;
constexpr u32 secondary_bus = 0x19;
constexpr u32 subsystem_id = 0x2E;
constexpr u32 capabilities = 0x34;

constexpr u32 nobody = 0xFFFF'FFFF;
constexpr u32 command_memory = 1 << 1;
constexpr u32 command_master = 1 << 2;
constexpr u32 command_no_line = 1 << 10;
constexpr u32 status_capabilities = 1 << 20; // as seen in the command register's word
constexpr u32 header_bridge = 1;
constexpr u32 header_many = 0x80;

constexpr u32 capability_vendor = 0x09;
constexpr u32 capability_msix = 0x11;
constexpr u32 capabilities_max = 48; // 192 bytes of four or more each

constexpr u32 msix_enable = 1u << 31; // in the capability's first word
constexpr u32 msix_masked = 1u << 30;

constexpr u32 virtio_vendor = 0x1AF4;
constexpr u32 virtio_modern = 0x1040;
constexpr u32 virtio_first = 0x1000;
constexpr u32 virtio_notify_type = 2;

constexpr u32 devices_of_bus = 32;
constexpr u32 functions_of_device = 8;
constexpr u32 buses_max = 256;

constexpr u32 bar_is_ports = 1;
constexpr u32 bar_type = 6;
constexpr u32 bar_64 = 4;

u32 function_address(u32 bus, u32 device, u32 function)
{
    return bus << 16 | device << 11 | function << 8;
}

// Where a memory BAR points; 0: ports, or not set up by the firmware.
u64 bar_address(PciConfiguration const& config, u32 function, u32 bar)
{
    if (bar > 5)
        return 0;
    auto const low = config.read(function, first_bar + bar * 4);
    if (low & bar_is_ports)
        return 0;
    u64 address = low & ~0xFu;
    if ((low & bar_type) == bar_64 && bar < 5)
        address |= u64 { config.read(function, first_bar + bar * 4 + 4) } << 32;
    return address;
}

// Calls visit(id, offset) for each capability; a list that runs in a circle ends.
template <typename Visit>
void each_capability(PciConfiguration const& config, u32 function, Visit visit)
{
    if (!(config.read(function, command) & status_capabilities))
        return;
    auto offset = config.read8(function, capabilities) & ~3u;
    for (u32 i = 0; i < capabilities_max && offset >= 0x40; ++i) {
        visit(config.read8(function, offset), offset);
        offset = config.read8(function, offset + 1) & ~3u;
    }
}

// A virtio structure (Virtio 1.2, 4.1.4): type at 3, BAR at 4, offset at 8, length at 12.
void read_structure(PciConfiguration const& config, u32 function, u32 at, FoundDevice& device)
{
    auto const type = config.read8(function, at + 3);
    if (type == 0 || type >= window_roles)
        return;
    auto const base = bar_address(config, function, config.read8(function, at + 4));
    auto& range = device.ranges[type];
    if (base == 0 || range.bytes != 0)
        return; // the first of a type that is usable counts
    range.base = base + config.read(function, at + 8);
    range.bytes = config.read(function, at + 12);
    if (type == virtio_notify_type)
        range.notify_multiplier = config.read(function, at + 16);
}

void read_msix(PciConfiguration const& config, u32 function, u32 at, FoundDevice& device)
{
    auto const table = config.read(function, at + 4);
    auto const base = bar_address(config, function, table & 7);
    if (base != 0)
        device.pci = PciInterrupt { function, at, base + (table & ~7u) };
}

u32 virtio_id(PciConfiguration const& config, u32 function, u32 device)
{
    // A transitional device's type stands in its subsystem id (4.1.2.1).
    return device >= virtio_modern ? device - virtio_modern : config.read16(function, subsystem_id);
}

void look_at(PciConfiguration const& config, u32 function, u32 id, std::vector<FoundDevice>& found)
{
    auto const device_id = id >> 16;
    if ((id & 0xFFFF) != virtio_vendor || device_id < virtio_first
        || device_id > virtio_modern + 63)
        return;
    FoundDevice device;
    device.device_class = virtio_class(virtio_id(config, function, device_id));
    device.kind = protocol::DeviceKind::virtio_pci;
    each_capability(config, function, [&](u32 capability, u32 at) {
        if (capability == capability_vendor)
            read_structure(config, function, at, device);
        else if (capability == capability_msix)
            read_msix(config, function, at, device);
    });
    auto const common = static_cast<usize>(protocol::WindowRole::virtio_common);
    if (device.ranges[common].bytes == 0 || !device.pci)
        return; // legacy only, or no way to hear its interrupts
    auto const commands = config.read(function, command) & 0xFFFF;
    config.write(function, command, commands | command_memory | command_master | command_no_line);
    found.push_back(device);
}

} // namespace

bool PciConfiguration::present() const
{
    return pio_.write(address_port, 4, address_enable)
        && pio_.read(address_port, 4).value_or(0) == address_enable;
}

u32 PciConfiguration::read(u32 function, u32 offset) const
{
    if (!pio_.write(address_port, 4, address_enable | function | offset))
        return nobody;
    return pio_.read(data_port, 4).value_or(nobody);
}

void PciConfiguration::write(u32 function, u32 offset, u32 value) const
{
    if (pio_.write(address_port, 4, address_enable | function | offset))
        (void)pio_.write(data_port, 4, value);
}

void find_pci(PioBroker const& pio, std::vector<FoundDevice>& found)
{
    PciConfiguration const config { pio };
    if (!config.present())
        return;
    std::vector<u32> buses { 0 };
    std::vector<bool> seen(buses_max);
    seen[0] = true;
    for (usize next = 0; next < buses.size(); ++next)
        for (u32 device = 0; device < devices_of_bus; ++device)
            for (u32 i = 0; i < functions_of_device; ++i) {
                auto const function = function_address(buses[next], device, i);
                auto const id = config.read(function, identity);
                if (id == nobody && i == 0)
                    break;
                if (id == nobody)
                    continue;
                look_at(config, function, id, found);
                auto const header = config.read8(function, header_type);
                auto const behind = config.read8(function, secondary_bus);
                if ((header & ~header_many) == header_bridge && !seen[behind]) {
                    seen[behind] = true;
                    buses.push_back(behind);
                }
                if (i == 0 && !(header & header_many))
                    break;
            }
}

Result<void> set_message(PioBroker const& pio, PhysBroker const& phys, PciInterrupt const& device,
    IrqBroker::Msi const& message)
{
    auto region = TRY(phys.region_physical(device.table / page_bytes, 1,
        static_cast<u16>(PhysFlag::write) | static_cast<u16>(PhysFlag::uncached)));
    auto const window = TRY(SharedRegion::map(std::move(region)));
    // An entry: address, upper address, data, vector control (PCI Local Bus 3.0, 6.8.2.5).
    auto* const entry
        = reinterpret_cast<u32 volatile*>(window.span().data() + device.table % page_bytes);
    entry[0] = static_cast<u32>(message.address);
    entry[1] = static_cast<u32>(message.address >> 32);
    entry[2] = message.data;
    entry[3] = 0;
    PciConfiguration const config { pio };
    auto const control = config.read(device.function, device.capability);
    config.write(device.function, device.capability, (control & ~msix_masked) | msix_enable);
    return {};
}

} // namespace gemel::devices
