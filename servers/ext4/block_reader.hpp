// Where the bytes of a volume come from: a block driver's client, or an image in a test.
#pragma once

#include "core/base/result.hpp"
#include "core/base/types.hpp"

#include <span>

namespace gemel::ext4 {

class BlockReader {
public:
    virtual ~BlockReader() = default;

    // Fills the whole of `target` from `byte_offset` on, any alignment. Asked only for ranges
    // inside [0, size_bytes()). Errors are the device's own (Error::io, Error::dead, ...); `target`
    // is then undefined.
    virtual Result<void> read(u64 byte_offset, std::span<u8> target) = 0;

    // The same for what files hold: a cache keeps it apart from metadata. Up to `ahead` bytes
    // behind it, inside [0, size_bytes()), are likely asked for next; what is wrong there is no
    // error.
    virtual Result<void> read_contents(u64 byte_offset, std::span<u8> target, u64)
    {
        return read(byte_offset, target);
    }

    // Constant while the volume is mounted.
    virtual u64 size_bytes() const = 0;
};

} // namespace gemel::ext4
