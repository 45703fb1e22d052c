// The block device behind the volume, through a small cache of large pieces. The driver moves bytes
// straight into the cache's memory; a reader copies them once. Of a piece only the pages that were
// asked for are read, and what follows them when the reader goes on where it stopped.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/protocols/block.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"

#include <unordered_map>
#include <vector>

namespace gemel::ext4 {

// Used by one thread at a time.
class DeviceCache final : public BlockDevice {
public:
    static constexpr usize sessions_max = 8;
    static constexpr usize session_bytes = 256 * 1024;
    static constexpr u32 chunk_bytes_max = 64 * 1024;

    // Attaches its first memory to the device; more follows as it is needed, while the quota allows
    // it. Errors: the device's, or no_memory and quota.
    static Result<Own<DeviceCache>> create(Client<protocol::Block> device);

    // For create: has no memory yet.
    DeviceCache(
        Client<protocol::Block> device, protocol::Block::Info::Reply const& info, u32 chunk_sectors)
        : device_(std::move(device))
        , sectors_(info.sectors)
        , access_(info.access)
        , chunk_sectors_(chunk_sectors)
    {
    }

    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    // Through the cache to the device, whole sectors of it.
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> read_fresh(u64 byte_offset, std::span<u8> target) override;
    Result<void> flush() override;
    Result<void> discard(u64 byte_offset, u64 bytes) override;
    bool writable() const { return access_ == protocol::BlockAccess::read_write; }
    u64 size_bytes() const override { return sectors_ * protocol::sector_bytes; }
    // The driver is gone; only what is cached can be read.
    bool lost() const { return lost_; }

private:
    struct Session {
        SharedRegion memory;
        Client<protocol::Block> device;
    };
    // A piece of a session's memory, and which piece of the device it holds. Free: last_use is 0.
    struct Chunk {
        static constexpr u64 none = ~0ull;

        u64 number = none;
        u64 last_use = 0;
        u32 held = 0; // a bit for each page that is in memory
    };
    static constexpr u32 page_bytes = 4096;
    static_assert(chunk_bytes_max / page_bytes <= 32);
    // Pages of a chunk.
    struct Pages {
        u32 first = 0;
        u32 end = 0;
    };

    u32 chunk_bytes() const { return chunk_sectors_ * protocol::sector_bytes; }
    usize chunks_per_session() const { return session_bytes / chunk_bytes(); }
    Result<void> add_session();
    // A chunk to be filled: a free one, one of new memory, or the least recently used.
    usize take_chunk();
    // Reads those of the pages that are not in memory.
    Result<void> load(usize index, Pages pages);
    Pages pages_at(u64 skipped, usize count) const;
    // The bytes of a chunk that the device has: the last one may be short.
    u32 bytes_of(u64 number) const;
    void drop(usize index);
    // Where the chunk of that index lies in its session's memory.
    std::span<u8> memory_of(usize index);
    // Where the chunk is kept, its pages perhaps not read yet.
    Result<usize> place_of(u64 number);
    template <typename T>
    Result<void> note_loss(Result<T> const& done);

    Client<protocol::Block> device_;
    u64 sectors_;
    protocol::BlockAccess access_;
    u32 chunk_sectors_;
    u64 uses_ = 0;
    u64 read_end_ = 0; // of the last read: who goes on there reads ahead
    std::unordered_map<u64, usize> places_; // of the chunks that hold something
    bool lost_ = false;
    std::vector<Session> sessions_;
    std::vector<Chunk> chunks_;
};

} // namespace gemel::ext4
