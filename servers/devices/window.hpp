// A short look at physical registers: mapped while the object lives.
#pragma once

#include "servers/rt/rt.hpp"

namespace gemel::devices {

class Window {
public:
    static Result<Window> open(PhysBroker const& phys, u64 physical, u32 bytes);
    u32 read32(u32 offset) const;
    void write32(u32 offset, u32 value) const;

private:
    Window(SharedRegion region, u32 offset)
        : region_(std::move(region))
        , offset_(offset)
    {
    }
    u32 volatile* at(u32 offset) const;

    SharedRegion region_;
    u32 offset_; // of the first register in the region
};

// The region over [physical, physical + bytes), for a driver.
Result<Handle> device_region(PhysBroker const& phys, u64 physical, u32 bytes);

} // namespace gemel::devices
