// A virtio block device (Virtio 1.2, 5.2): requests go to its queue, several at once, and are
// answered when the device is done with them.
#pragma once

#include "servers/block/queue.hpp"
#include "servers/block/transport.hpp"
#include "servers/protocols/block.hpp"
#include "servers/rt/lock.hpp"

#include <deque>
#include <functional>
#include <vector>

namespace gemel::block {

inline constexpr u16 data_segments_max = queue_entries - 2; // beside header and status
inline constexpr usize waiting_max = 256; // requests that have no place in the queue yet

class BlockDevice {
public:
    enum class Kind : u32 { read = 0, write = 1, flush = 4, discard = 11 }; // the wire's (5.2.6)
    using Done = std::function<void(Result<void>)>;

    // Resets the device and negotiates. `phys` is for the addresses of the queue's own memory.
    // Errors: unsupported (no Virtio 1, no queue), io (it refuses), quota.
    static Result<Own<BlockDevice>> open(
        Own<Transport> transport, PhysBroker const& phys, u16 vector);
    class Key {
        friend class BlockDevice;
        Key() = default;
    };
    BlockDevice(Key, Own<Transport> transport, SharedRegion memory, std::array<u64, 4> pages);
    ~BlockDevice();

    u64 sectors() const { return sectors_; }
    u32 block_bytes() const { return block_bytes_; }
    u32 segments_max() const { return segments_max_; }
    bool read_only() const { return read_only_; }
    // Of one discard; 0: the device has none.
    u32 discard_sectors_max() const { return discard_sectors_max_; }

    // Calls `done` once, now or later. `data` are sector multiples. Over waiting_max -> too_big.
    void submit(Kind kind, u64 sector, std::vector<QueueSegment> data, Done done)
    {
        submit(Request { kind, sector, std::move(data), std::move(done) });
    }
    // `sectors`: 1 to discard_sectors_max(). What they hold is anything from then on.
    void discard(u64 sector, u32 sectors, Done done);
    // After an interrupt.
    void interrupted();
    // An interrupt may be lost: while requests are with the device it is looked at by then, too.
    Deadline next_look();
    void look();

private:
    struct Request {
        Kind kind;
        u64 sector;
        std::vector<QueueSegment> data;
        Done done;
        u32 discarded = 0; // sectors, of a discard
    };
    void submit(Request request);
    Result<void> negotiate(u16 vector);
    void read_configuration(u64 features);
    void start(Request& request);
    void finish();
    void fail_all();

    Own<Transport> transport_;
    SharedRegion memory_; // two pages of queue, one of headers and status bytes, one of discards
    std::array<u64, 4> pages_; // their physical addresses
    std::optional<Queue> queue_;
    std::array<Done, queue_entries> in_flight_;
    std::deque<Request> waiting_;
    u32 in_flight_count_ = 0;
    Deadline look_at_ = Deadline::none(); // kept while nothing is in flight: it may be early
    u64 sectors_ = 0;
    u32 block_bytes_ = protocol::sector_bytes;
    u32 segments_max_ = 1;
    u32 discard_sectors_max_ = 0;
    bool read_only_ = false;
    bool has_flush_ = false;
    bool broken_ = false;
};

} // namespace gemel::block
