// The Block protocol over a device: the root, which has no region, and sessions, which have one.
#pragma once

#include "servers/block/device.hpp"
#include "servers/rt/object_server.hpp"

namespace gemel::block {

using protocol::Block;

// What root and sessions share.
class BlockService {
public:
    // Borrows all three.
    BlockService(BlockDevice& device, PhysBroker const& phys, ObjectServer& server)
        : device_(device)
        , phys_(phys)
        , server_(server)
    {
    }
    BlockDevice& device() const { return device_; }
    Result<Handle> attach(Handle region) const;
    Block::Info::Reply info() const;

private:
    BlockDevice& device_;
    PhysBroker const& phys_;
    ObjectServer& server_;
};

// Where a session's data lies: the pages of the client's region. It is mapped, and kept by each
// request in flight, so that the pages stay what they are whatever becomes of the client.
struct RegionPages {
    SharedRegion region;
    std::vector<u64> addresses; // physical
    bool writable = false;
};

class BlockSession {
public:
    // Without a region: reads and writes are unavailable.
    BlockSession(BlockService const& service, Ref<RegionPages> pages)
        : service_(service)
        , pages_(std::move(pages))
    {
    }

    void on(Block::Read const& request, Deferred<Block, Block::Read> deferred);
    void on(Block::Write const& request, Deferred<Block, Block::Write> deferred);
    void on(Block::Flush const&, Deferred<Block, Block::Flush> deferred);
    void on(Block::Discard const& request, Deferred<Block, Block::Discard> deferred);
    Result<Block::Attach::Reply> on(Block::Attach request);
    Result<Block::Info::Reply> on(Block::Info const&) { return service_.info(); }

private:
    Result<std::vector<QueueSegment>> segments_of(
        u64 lba, u32 count, u32 offset, QueueSegment::Direction direction) const;

    BlockService const& service_;
    Ref<RegionPages> pages_;
};

static_assert(Serves<BlockSession, Block>);

} // namespace gemel::block
