// The page in which the vfs keeps the text of its mounts and procfs finds it. News goes up through
// memory, because procfs may not call the vfs that calls it.
#pragma once

#include "core/base/types.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace gemel::fskit {

inline constexpr usize mounts_page_bytes = 2 * page_bytes;

struct MountsHeader {
    std::atomic<u32> sequence; // odd while the text changes
    u32 bytes;
};

// One writer. Text that does not fit is cut.
inline void write_mounts(std::span<std::byte> page, std::string_view text)
{
    auto& header = *reinterpret_cast<MountsHeader*>(page.data());
    auto const room = page.subspan(sizeof(MountsHeader));
    auto const sequence = header.sequence.load(std::memory_order_relaxed);
    header.sequence.store(sequence + 1, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    header.bytes = static_cast<u32>(std::min(text.size(), room.size()));
    std::memcpy(room.data(), text.data(), header.bytes);
    header.sequence.store(sequence + 2, std::memory_order_release);
}

// What was written last. Empty when the writer never stands still, which is not the vfs then.
inline std::string read_mounts(std::span<std::byte const> page)
{
    constexpr int tries_max = 100;
    auto const& header = *reinterpret_cast<MountsHeader const*>(page.data());
    auto const room = page.subspan(sizeof(MountsHeader));
    for (int i = 0; i < tries_max; ++i) {
        auto const before = header.sequence.load(std::memory_order_acquire);
        std::string text(
            reinterpret_cast<char const*>(room.data()), std::min<usize>(header.bytes, room.size()));
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (before % 2 == 0 && header.sequence.load(std::memory_order_relaxed) == before)
            return text;
    }
    return {};
}

} // namespace gemel::fskit
