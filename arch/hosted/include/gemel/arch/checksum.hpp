// CRC-32C by the processor's own instruction.
#pragma once

#include "core/base/types.hpp"

#include <nmmintrin.h>

#include <cstring>
#include <span>

namespace gemel::arch {

inline bool has_crc32c()
{
    return __builtin_cpu_supports("sse4.2") != 0;
}

// Only where has_crc32c() says so. Neither the seed nor the sum is inverted.
[[gnu::target("sse4.2")]] inline u32 crc32c(u32 seed, std::span<u8 const> bytes)
{
    u64 sum = seed;
    auto const* at = bytes.data();
    auto left = bytes.size();
    for (; left >= sizeof(u64); at += sizeof(u64), left -= sizeof(u64)) {
        u64 word;
        std::memcpy(&word, at, sizeof word);
        sum = _mm_crc32_u64(sum, word);
    }
    auto rest = static_cast<u32>(sum);
    for (; left > 0; ++at, --left)
        rest = _mm_crc32_u8(rest, *at);
    return rest;
}

} // namespace gemel::arch
