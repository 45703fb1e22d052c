// PrimeCell Real Time Clock (PL031) reference manual, chapter 3: the first register counts seconds.
#include "servers/clock/chips.hpp"
#include "servers/rt/region.hpp"

namespace gemel::clock {

Result<u64> read_pl031(protocol::Device::Window::Reply window)
{
    auto const region = TRY(SharedRegion::map(std::move(window.window)));
    if (window.base + sizeof(u32) > region.bytes())
        return Error::invalid;
    auto const seconds = *reinterpret_cast<u32 const volatile*>(region.span().data() + window.base);
    return seconds != 0 ? Result<u64>(seconds) : Error::corrupt;
}

} // namespace gemel::clock
