// Loads, stores and jumps that leave what the task may touch (docs/security.md).
#pragma once

#include "tests/native/checks.hpp"

#include <span>

namespace gemel {

// Each attack is a thread of our own task that must fault, with the address in the report.
void walls(Checks& checks);

// What a face calls the kernel's own: memory that is there, and no task's to touch.
struct KernelAddress {
    u64 address;
    std::string_view what;
};
std::span<KernelAddress const> kernel_addresses();

} // namespace gemel
