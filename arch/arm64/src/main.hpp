// The two objects of the native machine: mutable globals, but for nobody except the back end.
#pragma once

#include "core/kernel.hpp"

namespace gemel::arch {

inline constexpr u8 status_kernel_failed = 125;

// Constructed by boot.
Kernel& the_kernel();

} // namespace gemel::arch
