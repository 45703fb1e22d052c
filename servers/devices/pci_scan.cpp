// Every function of every bus that bridges lead to; virtio functions become devices
// (Virtio 1.2, 4.1).
#include "servers/devices/pci.hpp"
#include "servers/devices/probe.hpp"

namespace gemel::devices {
namespace {

using protocol::WindowKind;
using protocol::WindowRole;

constexpr u16 virtio_vendor = 0x1AF4;
constexpr u16 virtio_first = 0x1000; // transitional devices
constexpr u16 virtio_modern_first = 0x1040; // device type above this
constexpr u16 virtio_last = 0x107F;
constexpr u8 vendor_capability = 0x09;
constexpr u8 msix_capability = 0x11;
constexpr u8 header_type = 0x0E;
constexpr u8 header_bridge = 1;
constexpr u8 many_functions = 0x80;
constexpr u8 secondary_bus = 0x19;
constexpr u8 interrupt_line = 0x3C;
constexpr u8 subsystem_device = 0x2E;

// Transitional devices tell their type in the subsystem id.
u32 virtio_type(PciConfiguration const& configuration, u16 device)
{
    if (device >= virtio_modern_first)
        return device - virtio_modern_first;
    return configuration.read16(subsystem_device);
}

// The structures that the vendor capabilities describe (Virtio 1.2, 4.1.4).
std::vector<Place> virtio_places(PciConfiguration const& configuration)
{
    std::vector<Place> places;
    for (u8 at = configuration.capability(vendor_capability); at != 0 && places.size() < 8;
         at = configuration.capability(vendor_capability, at)) {
        auto const type = configuration.read8(static_cast<u8>(at + 3));
        if (type < 1 || type > 4)
            continue;
        auto const base = configuration.base_address(configuration.read8(static_cast<u8>(at + 4)));
        if (base == 0)
            continue;
        Place place;
        place.role = static_cast<WindowRole>(type);
        place.kind = WindowKind::memory;
        place.base = base + configuration.read32(static_cast<u8>(at + 8));
        place.bytes = configuration.read32(static_cast<u8>(at + 12));
        if (place.role == WindowRole::virtio_notify)
            place.notify_multiplier = configuration.read32(static_cast<u8>(at + 16));
        places.push_back(place);
    }
    return places;
}

std::optional<Msix> msix_of(PciConfiguration const& configuration)
{
    auto const at = configuration.capability(msix_capability);
    if (at == 0)
        return {};
    auto const table = configuration.read32(static_cast<u8>(at + 4));
    auto const base = configuration.base_address(static_cast<u8>(table & 7));
    if (base == 0)
        return {};
    return Msix { at, base + (table & ~7u) };
}

class Scan {
public:
    Scan(PioBroker const& pio, std::vector<Found>& found)
        : pio_(pio)
        , found_(found)
    {
    }

    void bus(u8 number)
    {
        constexpr unsigned slots = 32;
        for (u8 slot = 0; slot < slots; ++slot) {
            PciConfiguration const first { pio_, { number, slot, 0 } };
            if (!first.present())
                continue;
            auto const functions = first.read8(header_type) & many_functions ? 8 : 1;
            for (u8 function = 0; function < functions; ++function)
                look({ number, slot, function });
        }
    }

private:
    void look(PciFunction at)
    {
        PciConfiguration const configuration { pio_, at };
        if (!configuration.present() || found_.size() >= devices_max)
            return;
        if ((configuration.read8(header_type) & 0x7F) == header_bridge) {
            auto const below = configuration.read8(secondary_bus);
            if (below > at.bus) // numbers only grow: no bridge leads back
                bus(below);
            return;
        }
        auto const device = configuration.read16(2);
        if (configuration.read16(0) != virtio_vendor || device < virtio_first
            || device > virtio_last)
            return;
        Found found;
        found.device_class = class_of_virtio(virtio_type(configuration, device));
        found.kind = protocol::DeviceKind::virtio_pci;
        found.line = configuration.read8(interrupt_line);
        found.places = virtio_places(configuration);
        found.pci = at;
        found.msix = msix_of(configuration);
        found_.push_back(std::move(found));
    }

    PioBroker const& pio_;
    std::vector<Found>& found_;
};

} // namespace

void find_pci(PioBroker const& pio, std::vector<Found>& found)
{
    Scan(pio, found).bus(0);
}

} // namespace gemel::devices
