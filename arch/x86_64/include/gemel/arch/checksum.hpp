// CRC-32C by the processor's own instruction (SSE 4.2, which QEMU's smallest processors lack).
#pragma once

#include "core/base/types.hpp"

#include <cpuid.h>

#include <cstring>
#include <span>

namespace gemel::arch {

// Asked once: where the machine is virtual, the question itself costs a microsecond.
inline bool const crc32c_instruction = [] {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSE4_2) != 0;
}();

inline bool has_crc32c()
{
    return crc32c_instruction;
}

// Only where has_crc32c() says so. Neither the seed nor the sum is inverted.
inline u32 crc32c(u32 seed, std::span<u8 const> bytes)
{
    u64 sum = seed;
    auto const* at = bytes.data();
    auto left = bytes.size();
    for (; left >= sizeof(u64); at += sizeof(u64), left -= sizeof(u64)) {
        u64 word;
        std::memcpy(&word, at, sizeof word);
        asm("crc32q %1, %0" : "+r"(sum) : "r"(word));
    }
    auto rest = static_cast<u32>(sum);
    for (; left > 0; ++at, --left)
        asm("crc32b %1, %0" : "+r"(rest) : "r"(*at));
    return rest;
}

} // namespace gemel::arch
