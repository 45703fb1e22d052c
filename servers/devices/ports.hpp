// Devices at fixed I/O ports.
#pragma once

#include "servers/devices/found_device.hpp"

namespace gemel::devices {

// The 16550 at COM1, when its scratch register keeps what is written.
void find_serial_port(PioBroker const& pio, std::vector<FoundDevice>& found);
void find_clock(PioBroker const& pio, std::vector<FoundDevice>& found);
// The virtio-mmio register files of a machine that has no other bus (sim/devices/README.md).
void find_virtio_ports(PioBroker const& pio, std::vector<FoundDevice>& found);

// The far end of a mount of the host (servers/hostmount).
void find_host_mount(PioBroker const& pio, std::vector<FoundDevice>& found);

} // namespace gemel::devices
