// Sites of the hosted face: a row in the linker's table, and a question to the world.
#pragma once

#include <gemel/hosted/site.hpp>

#define GEMEL_SITE(label, kind)                                                                    \
    ([]() -> bool {                                                                                \
        [[gnu::section("gemel_sites"),                                                             \
            gnu::used]] static constinit ::gemel::hosted::Site const site                          \
            = { label, __FILE__, __LINE__, ::gemel::hosted::SiteKind::kind };                      \
        return ::gemel::hosted::site_reached && ::gemel::hosted::site_reached(site);               \
    }())
#define BUGGIFY(label) GEMEL_SITE(label, fault)
#define SOMETIMES(label) static_cast<void>(GEMEL_SITE(label, sometimes))
#define NEVER(label) static_cast<void>(GEMEL_SITE(label, never))
