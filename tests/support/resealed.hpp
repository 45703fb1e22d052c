// Journals of gemel sim whose checks fit, whatever else is wrong with them
// (sim/replay/journal.cpp).
#pragma once

#include "sim/trace/trace.hpp"

#include <cstring>
#include <span>
#include <vector>

namespace gemel::test {

// With a count and checks for all that stands in there.
inline std::vector<u8> resealed(std::vector<u8> bytes)
{
    constexpr usize header_bytes = 304, record_bytes = 12, count_at = 48;
    constexpr usize records_check_at = header_bytes - 16, check_at = header_bytes - 8;
    if (bytes.size() < header_bytes)
        return bytes;
    auto const put
        = [&](usize at, auto value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
    auto const put_check = [&](usize at, std::span<u8 const> of) {
        sim::Hash hash;
        for (auto const byte : of)
            hash.add(byte);
        put(at, hash.low);
    };
    auto const count = (bytes.size() - header_bytes) / record_bytes;
    bytes.resize(header_bytes + count * record_bytes);
    put(count_at, static_cast<u32>(count));
    put_check(records_check_at, std::span { bytes }.subspan(header_bytes));
    put_check(check_at, std::span { bytes }.first(check_at));
    return bytes;
}

} // namespace gemel::test
