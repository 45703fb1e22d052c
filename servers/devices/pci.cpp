#include "servers/devices/pci.hpp"

#include "servers/devices/window.hpp"

namespace gemel::devices {
namespace {

constexpr u32 address_port = 0xCF8;
constexpr u32 data_port = 0xCFC;
constexpr u32 enable_bit = 1u << 31;

constexpr u8 command_register = 0x04;
constexpr u16 command_memory = 1 << 1;
constexpr u16 command_master = 1 << 2;
constexpr u16 command_no_pin = 1 << 10;
constexpr u8 status_register = 0x06;
constexpr u16 status_capabilities = 1 << 4;
constexpr u8 first_base_address = 0x10;
constexpr u8 capabilities_register = 0x34;
constexpr unsigned capabilities_limit = 48; // as many as fit the space: a cycle ends here

// PCI 3.0, 6.8.2.
constexpr u16 msix_enabled = 1 << 15;
constexpr u16 msix_function_mask = 1 << 14;
constexpr u32 msix_entry_bytes = 16;

} // namespace

u32 PciConfiguration::read32(u8 offset) const
{
    auto const address = enable_bit | u32 { function_.bus } << 16 | u32 { function_.slot } << 11
        | u32 { function_.function } << 8 | (offset & 0xFCu);
    if (!pio_.write(address_port, 4, address))
        return ~0u;
    return pio_.read(data_port, 4).value_or(~0u);
}

u16 PciConfiguration::read16(u8 offset) const
{
    return static_cast<u16>(read32(offset) >> (offset & 2) * 8);
}

u8 PciConfiguration::read8(u8 offset) const
{
    return static_cast<u8>(read32(offset) >> (offset & 3) * 8);
}

void PciConfiguration::write32(u8 offset, u32 value) const
{
    read32(offset); // selects the register
    static_cast<void>(pio_.write(data_port, 4, value));
}

void PciConfiguration::write16(u8 offset, u16 value) const
{
    auto const shift = (offset & 2) * 8;
    auto const word = read32(offset);
    write32(offset, (word & ~(0xFFFFu << shift)) | u32 { value } << shift);
}

u64 PciConfiguration::base_address(u8 index) const
{
    if (index > 5)
        return 0;
    auto const low = read32(static_cast<u8>(first_base_address + index * 4));
    if (low & 1)
        return 0;
    auto const is_wide = (low >> 1 & 3) == 2 && index < 5;
    auto const high = is_wide ? read32(static_cast<u8>(first_base_address + index * 4 + 4)) : 0;
    return (low & ~0xFu) | u64 { high } << 32;
}

u8 PciConfiguration::capability(u8 id, u8 from) const
{
    if ((read16(status_register) & status_capabilities) == 0)
        return 0;
    auto at = from == 0 ? read8(capabilities_register) : read8(static_cast<u8>(from + 1));
    for (unsigned i = 0; i < capabilities_limit; ++i) {
        at &= 0xFC;
        if (at < 0x40)
            return 0;
        if (read8(at) == id)
            return at;
        at = read8(static_cast<u8>(at + 1));
    }
    return 0;
}

void enable_function(PioBroker const& pio, PciFunction function)
{
    PciConfiguration const configuration { pio, function };
    auto const command = configuration.read16(command_register);
    configuration.write16(
        command_register, command | command_memory | command_master | command_no_pin);
}

Result<void> msix_enable(
    PioBroker const& pio, PhysBroker const& phys, Found const& device, u64 address, u32 data)
{
    if (!device.pci || !device.msix)
        return Error::unsupported;
    auto const table = TRY(Window::open(phys, device.msix->table_physical, msix_entry_bytes));
    table.write32(0, static_cast<u32>(address));
    table.write32(4, static_cast<u32>(address >> 32));
    table.write32(8, data);
    table.write32(12, 0); // not masked
    PciConfiguration const configuration { pio, *device.pci };
    auto const control_at = static_cast<u8>(device.msix->capability + 2);
    auto const control = configuration.read16(control_at);
    configuration.write16(
        control_at, static_cast<u16>((control | msix_enabled) & ~msix_function_mask));
    return {};
}

} // namespace gemel::devices
