// The two objects of the native machine: mutable globals, but for nobody except the back end.
#pragma once

#include "core/kernel.hpp"

namespace gemel::arch {

extern Machine the_machine asm("the_machine");

// Constructed by boot.
Kernel& the_kernel();

} // namespace gemel::arch
