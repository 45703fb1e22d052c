#include "servers/block/service.hpp"

namespace gemel::block {
namespace {

using protocol::sector_bytes;

Result<Ref<RegionPages>> pages_of(PhysBroker const& phys, Handle region)
{
    auto const info = TRY(region.inspect());
    if (info.type != ObjectType::region)
        return Error::invalid;
    if (!has(info.rights, Right::read))
        return Error::no_rights;
    auto pages = make_ref<RegionPages>();
    pages->writable = has(info.rights, Right::write);
    pages->region = TRY(SharedRegion::map(std::move(region), RegionAccess::read));
    for (u32 page = 0; page < region_pages_max; ++page) {
        auto const address = phys.region_address(pages->region.handle(), page);
        if (!address && address.error() == Error::invalid)
            break; // past its end
        if (!address)
            return address.error();
        pages->addresses.push_back(*address);
    }
    return pages;
}

// Answers a deferred request with what became of it. A caller that is gone is not told. `pages`
// stay until then.
template <typename Request>
BlockDevice::Done answer(Deferred<Block, Request> deferred, Ref<RegionPages> const& pages)
{
    auto const kept = make_ref<Deferred<Block, Request>>(std::move(deferred));
    return [kept, pages](Result<void> result) {
        if (result)
            (void)kept->reply(typename Request::Reply {});
        else
            (void)kept->reply(result.error());
    };
}

} // namespace

Result<Handle> BlockService::attach(Handle region) const
{
    auto pages = TRY(pages_of(phys_, std::move(region)));
    return server_.publish<Block>(make_ref<BlockSession>(*this, std::move(pages)));
}

Block::Info::Reply BlockService::info() const
{
    // Every page of an unaligned request may be a segment of its own.
    auto const pages = std::max(device_.segments_max(), 2u) - 1;
    return { .sectors = device_.sectors(),
        .block_bytes = device_.block_bytes(),
        .sectors_max = pages * static_cast<u32>(page_bytes / sector_bytes),
        .access = device_.read_only() ? protocol::BlockAccess::read_only
                                      : protocol::BlockAccess::read_write };
}

Result<std::vector<QueueSegment>> BlockSession::segments_of(
    u64 lba, u32 count, u32 offset, QueueSegment::Direction direction) const
{
    if (pages_->addresses.empty())
        return Error::unavailable;
    auto const info = service_.info();
    if (count == 0 || offset % sector_bytes != 0 || lba > info.sectors
        || count > info.sectors - lba)
        return Error::invalid;
    if (count > info.sectors_max)
        return Error::too_big;
    u64 const bytes = u64 { count } * sector_bytes;
    if (offset + bytes > pages_->addresses.size() * page_bytes)
        return Error::invalid;
    std::vector<QueueSegment> segments;
    for (u64 at = offset; at < offset + bytes;) {
        auto const within = at % page_bytes;
        auto const piece = std::min<u64>(page_bytes - within, offset + bytes - at);
        auto const address = pages_->addresses[at / page_bytes] + within;
        if (!segments.empty() && segments.back().physical + segments.back().bytes == address)
            segments.back().bytes += static_cast<u32>(piece);
        else
            segments.push_back({ address, static_cast<u32>(piece), direction });
        at += piece;
    }
    return segments;
}

void BlockSession::on(Block::Read const& request, Deferred<Block, Block::Read> deferred)
{
    auto segments = segments_of(
        request.lba, request.count, request.offset, QueueSegment::Direction::device_writes);
    auto const done = answer(std::move(deferred), pages_);
    if (!segments)
        return done(segments.error());
    if (!pages_->writable)
        return done(Error::no_rights);
    service_.device().submit(BlockDevice::Kind::read, request.lba, std::move(*segments), done);
}

void BlockSession::on(Block::Write const& request, Deferred<Block, Block::Write> deferred)
{
    auto segments = segments_of(
        request.lba, request.count, request.offset, QueueSegment::Direction::device_reads);
    auto const done = answer(std::move(deferred), pages_);
    if (!segments)
        return done(segments.error());
    if (service_.device().read_only())
        return done(Error::read_only);
    service_.device().submit(BlockDevice::Kind::write, request.lba, std::move(*segments), done);
}

void BlockSession::on(Block::Flush const&, Deferred<Block, Block::Flush> deferred)
{
    service_.device().submit(BlockDevice::Kind::flush, 0, {}, answer(std::move(deferred), pages_));
}

void BlockSession::on(Block::Discard const& request, Deferred<Block, Block::Discard> deferred)
{
    auto& device = service_.device();
    auto const kept = make_ref<Deferred<Block, Block::Discard>>(std::move(deferred));
    auto const refuse = [&](Error error) { (void)kept->reply(error); };
    if (request.count == 0 || request.lba > device.sectors()
        || request.count > device.sectors() - request.lba)
        return refuse(Error::invalid);
    if (device.read_only())
        return refuse(Error::read_only);
    if (device.discard_sectors_max() == 0)
        return refuse(Error::unsupported);
    auto const count = static_cast<u32>(std::min<u64>(request.count, device.discard_sectors_max()));
    device.discard(request.lba, count, [kept, count](Result<void> result) {
        if (result)
            (void)kept->reply(Block::Discard::Reply { count });
        else
            (void)kept->reply(result.error());
    });
}

Result<Block::Attach::Reply> BlockSession::on(Block::Attach request)
{
    return Block::Attach::Reply { TRY(service_.attach(std::move(request.region))) };
}

} // namespace gemel::block
