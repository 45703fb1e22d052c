// The instructions for CRC-32C are optional in ARMv8.0, and programs may not ask the processor: the
// portable tables do.
#pragma once

#include "core/base/types.hpp"

#include <span>

namespace gemel::arch {

inline bool has_crc32c()
{
    return false;
}
inline u32 crc32c(u32 seed, std::span<u8 const>)
{
    return seed;
}

} // namespace gemel::arch
