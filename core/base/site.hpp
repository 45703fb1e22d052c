// Places that the simulator knows by a label (docs/simulator.md); zero bytes natively.
//   if (free == 0 || BUGGIFY("kernel.no_page"))   a fault it may cause: only where it is handled
//   SOMETIMES("lock.handed_over");                a state that a good campaign reaches
//   NEVER("ext4.log_too_small");                  one that is handled, and that nothing may lead
//   to:
//                                                 a simulated run that reaches it fails
#pragma once

#include <gemel/arch/site.hpp>
