// Places in the code that the simulator knows by a label: gathered by the linker into one table.
#pragma once

#include "core/base/types.hpp"

#include <span>

namespace gemel::hosted {

enum class SiteKind : u8 {
    fault, // a condition that is handled anyway: the simulator may make it true
    sometimes, // a state that a good campaign reaches
    never, // a state that is handled, and that nothing may lead to: the run fails
};

constexpr char const* name_of(SiteKind kind)
{
    constexpr char const* names[] = { "fault", "sometimes", "never" };
    return names[static_cast<u8>(kind)];
}

// As aligned as it is large: what the linker gathers is then an array.
struct alignas(32) Site {
    char const* label;
    char const* file;
    u32 line;
    SiteKind kind;
};

static_assert(sizeof(Site) == alignof(Site));

// All of this executable's, in the linker's order.
std::span<Site const> sites();

// Weak: a test that links no hosted machine has no simulator either.
[[gnu::weak]] bool site_reached(Site const& site);

} // namespace gemel::hosted
