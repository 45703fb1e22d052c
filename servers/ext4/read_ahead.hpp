// How much is read before it is asked for: nothing while reads come from anywhere, more with each
// window while they follow each other.
#pragma once

#include "core/base/types.hpp"

#include <algorithm>

namespace gemel::ext4 {

class ReadAhead {
public:
    static constexpr u64 first_bytes = 16 * 1024;
    static constexpr u64 bytes_max = 256 * 1024; // of one window

    // To be told of each read; gives how many bytes behind its end are worth reading with it, where
    // it has to read at all. A first read at 0 counts as the beginning of many.
    u64 note(u64 offset, u64 bytes)
    {
        bool const goes_on = offset == end_;
        end_ = offset + bytes;
        if (!goes_on) {
            window_ = 0;
            ahead_end_ = end_;
        } else if (end_ > ahead_end_) {
            window_ = std::clamp(2 * std::max(window_, bytes), first_bytes, bytes_max);
            ahead_end_ = end_ + window_;
        }
        return ahead_end_ - end_;
    }

private:
    u64 end_ = 0; // of the last read
    u64 window_ = 0;
    u64 ahead_end_ = 0; // of what was read, or will be
};

} // namespace gemel::ext4
