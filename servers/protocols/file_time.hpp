// A moment that a file has to do with. Nanoseconds alone would reach from 1677 to 2262, and disks
// hold later ones.
#pragma once

#include "core/base/types.hpp"

#include <compare>

namespace gemel {

struct FileTime {
    i64 seconds = 0; // rounded down: negative before the epoch
    i64 nanoseconds = 0; // 0 to 999'999'999, since then

    static constexpr FileTime from_ns(i64 ns)
    {
        constexpr i64 second = 1'000'000'000;
        auto const rest = (ns % second + second) % second;
        return { ns / second - (ns % second < 0 ? 1 : 0), rest };
    }
    friend auto operator<=>(FileTime const&, FileTime const&) = default;
};

} // namespace gemel
