// The file that a region's pages are read from. Its server may be slow, dead or hostile, so every
// question has a deadline and is asked by a thread that may wait.
#pragma once

#include "servers/protocols/file.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"

namespace gemel::pager {

inline constexpr u32 read_bytes_max = 32 * 1024; // at once

class Backing {
public:
    // `file` moves bytes through `buffer`, of read_bytes_max, and has `size` bytes.
    Backing(Client<protocol::File> file, Ref<SharedRegion> buffer, u64 size)
        : file_(std::move(file))
        , buffer_(std::move(buffer))
        , size_(size)
    {
    }
    // The same open file with memory of our own between, which one question at a time uses. What
    // opening and asking for its size say; invalid: it is no file with contents of its own.
    static Result<Backing> open(Client<protocol::File> const& given, Ref<SharedRegion> buffer);

    u64 size() const { return size_; } // when it was opened
    // Up to `bytes` (at most read_bytes_max); they stay until the next question.
    Result<std::span<std::byte const>> read(u64 offset, u32 bytes) const;

private:
    Client<protocol::File> file_;
    Ref<SharedRegion> buffer_;
    u64 size_;
};

} // namespace gemel::pager
