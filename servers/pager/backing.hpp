// The file that a region's pages are read from. Its server may be slow, dead or hostile, so every
// question has a deadline and is asked by a thread that may wait.
#pragma once

#include "servers/protocols/file.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/region.hpp"

namespace gemel::pager {

inline constexpr u32 read_bytes_max = 64 * 1024; // at once

class Backing {
public:
    // `file` moves bytes through `region`, of read_bytes_max, and has `size` bytes.
    Backing(Client<protocol::File> file, SharedRegion region, u64 size)
        : file_(std::move(file))
        , region_(std::move(region))
        , size_(size)
    {
    }
    // The same open file with memory of our own between. What opening and asking for its size say;
    // invalid: it is no file with contents of its own.
    static Result<Backing> open(Client<protocol::File> const& given);

    u64 size() const { return size_; } // when it was opened
    // Up to `bytes` (at most read_bytes_max); they stay until the next read.
    Result<std::span<std::byte const>> read(u64 offset, u32 bytes) const;

private:
    Client<protocol::File> file_;
    SharedRegion region_;
    u64 size_;
};

} // namespace gemel::pager
