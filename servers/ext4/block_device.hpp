// Where the bytes of a volume come from and go to: BlockReader, with writing.
#pragma once

#include "servers/ext4/block_reader.hpp"

namespace gemel::ext4 {

class BlockDevice : public BlockReader {
public:
    // Writes the whole of `source` from `byte_offset` on, any alignment, inside [0, size_bytes()).
    // A read sees it at once. It is durable only after a later flush: until then a power cut keeps
    // it, loses it, or keeps some of its 512-byte sectors, each write on its own. Errors are the
    // device's own; what is on the device in the range is then undefined.
    virtual Result<void> write(u64 byte_offset, std::span<u8 const> source) = 0;

    // The same as `read`, past whatever is cached: another host may have written there.
    virtual Result<void> read_fresh(u64 byte_offset, std::span<u8> target)
    {
        return read(byte_offset, target);
    }

    // Nobody needs these bytes, whole sectors inside the device: until they are written again they
    // read as anything. Error::unsupported when the device has no such request.
    virtual Result<void> discard(u64, u64) { return Error::unsupported; }

    // Every write that returned before it is durable once this returns.
    virtual Result<void> flush() = 0;
};

} // namespace gemel::ext4
