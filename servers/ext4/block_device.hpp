// Where the bytes of a volume come from and go to: BlockReader, with writing.
#pragma once

#include "servers/ext4/block_reader.hpp"

namespace gemel::ext4 {

class BlockDevice : public BlockReader {
public:
    // Writes the whole of `source` from `byte_offset` on, any alignment, inside [0, size_bytes()).
    // A read sees it at once. It is durable only after a later flush: until then a power cut keeps
    // it, loses it, or keeps some of its 512-byte sectors, each write on its own. Errors are the
    // device's own, of this write or of one before; what is on the device in the range is then
    // undefined.
    virtual Result<void> write(u64 byte_offset, std::span<u8 const> source) = 0;

    // The same for what files and the journal hold: a cache keeps it apart from metadata.
    virtual Result<void> write_contents(u64 byte_offset, std::span<u8 const> source)
    {
        return write(byte_offset, source);
    }

    // The same as `read`, past what was read before: another host may have written there.
    virtual Result<void> read_fresh(u64 byte_offset, std::span<u8> target)
    {
        return read(byte_offset, target);
    }

    // Nobody needs these bytes, whole sectors inside the device: until they are written again they
    // read as anything. Error::unsupported when the device has no such request.
    virtual Result<void> discard(u64, u64) { return Error::unsupported; }

    // Every write that returned before it is durable once this returns; an error also when one of
    // them failed since.
    virtual Result<void> flush() = 0;

    // What was not flushed need not reach the device any more: it is somebody else's now.
    virtual void abandon_writes() { }
};

} // namespace gemel::ext4
