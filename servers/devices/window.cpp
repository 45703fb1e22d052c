#include "servers/devices/window.hpp"

namespace gemel::devices {

Result<Handle> device_region(PhysBroker const& phys, u64 physical, u32 bytes)
{
    auto const first = physical / page_bytes;
    auto const end = (physical + bytes + page_bytes - 1) / page_bytes;
    if (bytes == 0 || end - first > region_pages_max)
        return Error::invalid;
    return phys.region_physical(first, static_cast<u32>(end - first),
        static_cast<u16>(static_cast<u16>(PhysFlag::write) | static_cast<u16>(PhysFlag::uncached)));
}

Result<Window> Window::open(PhysBroker const& phys, u64 physical, u32 bytes)
{
    auto region = TRY(SharedRegion::map(TRY(device_region(phys, physical, bytes))));
    return Window(std::move(region), static_cast<u32>(physical % page_bytes));
}

u32 volatile* Window::at(u32 offset) const
{
    ASSERT(offset_ + offset + sizeof(u32) <= region_.bytes());
    return reinterpret_cast<u32 volatile*>(region_.span().data() + offset_ + offset);
}

u32 Window::read32(u32 offset) const
{
    return *at(offset);
}

void Window::write32(u32 offset, u32 value) const
{
    *at(offset) = value;
}

} // namespace gemel::devices
