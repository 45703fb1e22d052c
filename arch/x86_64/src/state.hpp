// The back end's own state: one machine, one kernel. Only this back end's files may include it.
#pragma once

#include "core/kernel.hpp"

#include <gemel/arch/machine.hpp>

namespace gemel::arch {

// Boot code constructs the kernel in place.
union KernelStorage {
    constexpr KernelStorage()
        : none(0)
    {
    }
    ~KernelStorage() { }

    u8 none;
    Kernel kernel;
};

extern KernelStorage storage;

} // namespace gemel::arch
