// PCI by configuration mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2): virtio functions and their
// MSI-X.
#pragma once

#include "servers/devices/found_device.hpp"

namespace gemel::devices {

// Registers of one function's configuration space. A function's address is bus << 16 | device << 11
// | function << 8. A broker that refuses reads as all ones, as an empty place does.
class PciConfiguration {
public:
    explicit PciConfiguration(PioBroker const& pio)
        : pio_(pio)
    {
    }
    // The machine has such a bus.
    bool present() const;
    u32 read(u32 function, u32 offset) const; // offset: a multiple of 4
    void write(u32 function, u32 offset, u32 value) const;
    u32 read8(u32 function, u32 offset) const
    {
        return read(function, offset & ~3u) >> (offset & 3) * 8 & 0xFF;
    }
    u32 read16(u32 function, u32 offset) const
    {
        return read(function, offset & ~3u) >> (offset & 2) * 8 & 0xFFFF;
    }

private:
    PioBroker const& pio_;
};

// All virtio functions with the structures of Virtio 1.2, 4.1.4; switched on as bus masters.
void find_pci(PioBroker const& pio, std::vector<FoundDevice>& found);

// The first MSI-X table entry of `device` raises `message` from now on, and MSI-X is on.
// `phys` maps the table.
Result<void> set_message(PioBroker const& pio, PhysBroker const& phys, PciInterrupt const& device,
    IrqBroker::Msi const& message);

} // namespace gemel::devices
