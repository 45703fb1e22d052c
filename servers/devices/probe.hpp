// The three places where devices are looked for. Each adds what it finds.
#pragma once

#include "servers/devices/found.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::devices {

void find_ports(PioBroker const& pio, std::vector<Found>& found);
void find_pci(PioBroker const& pio, std::vector<Found>& found);
// `tree` is the physical address of a flattened device tree; 0: there is none. What is wrong with
// it goes to the log.
void find_tree(
    PhysBroker const& phys, u64 tree, u64 tree_bytes, std::vector<Found>& found, Log& log);

} // namespace gemel::devices
