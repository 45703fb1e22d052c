#include <gemel/hosted/edges.hpp>
#include <gemel/hosted/heap_fill.hpp>
#include <gemel/hosted/system.hpp>
#include <gemel/hosted/world.hpp>

extern "C" {
// From the linker: the bounds of the section that GEMEL_SITE fills. Weak: there may be no site.
extern gemel::hosted::Site const __start_gemel_sites[] __attribute__((weak));
extern gemel::hosted::Site const __stop_gemel_sites[] __attribute__((weak));
}

namespace gemel::hosted {

namespace {

u8 fresh_fill = 0;

} // namespace

void fill_fresh_memory(u8 value)
{
    fresh_fill = value;
}

u8 fresh_memory_fill()
{
    return fresh_fill;
}

std::span<Site const> sites()
{
    return { __start_gemel_sites, __stop_gemel_sites };
}

bool site_reached(Site const& site)
{
    EdgesPause const pause;
    auto* system = running();
    auto* world = system ? system->machine().world() : nullptr;
    return world && world->reached(site);
}

} // namespace gemel::hosted
