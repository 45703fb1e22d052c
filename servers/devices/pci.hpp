// PCI configuration space by mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2).
#pragma once

#include "servers/devices/found.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::devices {

class PciConfiguration {
public:
    PciConfiguration(PioBroker const& pio, PciFunction function)
        : pio_(pio)
        , function_(function)
    {
    }
    // `offset` 0..255; 32-bit reads and writes are of the aligned word.
    u32 read32(u8 offset) const;
    u16 read16(u8 offset) const;
    u8 read8(u8 offset) const;
    void write32(u8 offset, u32 value) const;
    void write16(u8 offset, u16 value) const;

    bool present() const { return read16(0) != 0xFFFF; }
    // The physical address in base address register `index` (0..5); 0: none, or I/O ports.
    u64 base_address(u8 index) const;
    // The next capability with this id after `from` (0: from the start); 0: no more.
    u8 capability(u8 id, u8 from = 0) const;

private:
    PioBroker const& pio_;
    PciFunction function_;
};

// Turns MSI-X on with its first vector going to `address` and `data`; the others stay masked.
Result<void> msix_enable(
    PioBroker const& pio, PhysBroker const& phys, Found const& device, u64 address, u32 data);
// Memory accesses and bus mastering on; the interrupt pin off.
void enable_function(PioBroker const& pio, PciFunction function);

} // namespace gemel::devices
