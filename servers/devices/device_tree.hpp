// The flattened device tree: what the firmware of an arm64 machine says is there.
#pragma once

#include "servers/devices/found_device.hpp"

namespace gemel::devices {

// virtio-mmio places with a device in them, and PL011 serial ports. `physical` 0: no tree, nothing
// is found. corrupt: not a device tree.
Result<void> find_in_device_tree(
    PhysBroker const& phys, u64 physical, u64 bytes, std::vector<FoundDevice>& found);

} // namespace gemel::devices
