#include "servers/ext4/device_cache.hpp"

#include "core/abi/operation.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::ext4 {

using protocol::Block;
using protocol::sector_bytes;

Result<Own<DeviceCache>> DeviceCache::create(Client<Block> device)
{
    auto const info = TRY(device.call(Block::Info {}));
    auto const chunk_sectors = std::min(chunk_bytes_max / sector_bytes, info.sectors_max);
    if (chunk_sectors == 0)
        return Error::invalid;
    auto cache = std::make_unique<DeviceCache>(std::move(device), info.sectors, chunk_sectors);
    TRY(cache->add_session());
    return cache;
}

Result<void> DeviceCache::add_session()
{
    auto memory = TRY(SharedRegion::create(session_bytes));
    auto region = TRY(memory.handle_for_peer());
    auto attached = TRY(device_.call(Block::Attach { std::move(region) }));
    sessions_.push_back({ std::move(memory), Client<Block>(std::move(attached.block)) });
    chunks_.resize(sessions_.size() * chunks_per_session());
    return {};
}

Result<void> DeviceCache::read(u64 byte_offset, std::span<u8> target)
{
    while (!target.empty()) {
        auto const bytes = TRY(chunk(byte_offset / chunk_bytes()));
        auto const skipped = byte_offset % chunk_bytes();
        if (skipped >= bytes.size())
            return Error::invalid;
        auto const count = std::min<usize>(bytes.size() - skipped, target.size());
        std::memcpy(target.data(), bytes.data() + skipped, count);
        target = target.subspan(count);
        byte_offset += count;
    }
    return {};
}

usize DeviceCache::take_chunk()
{
    auto const oldest = [&] {
        auto const found = std::min_element(chunks_.begin(), chunks_.end(),
            [](Chunk const& left, Chunk const& right) { return left.last_use < right.last_use; });
        return static_cast<usize>(found - chunks_.begin());
    };
    auto const index = oldest();
    bool const full = chunks_[index].last_use != 0;
    if (full && sessions_.size() < sessions_max && add_session())
        return oldest();
    return index;
}

Result<std::span<u8 const>> DeviceCache::chunk(u64 number)
{
    auto const found = std::find_if(
        chunks_.begin(), chunks_.end(), [&](Chunk const& each) { return each.number == number; });
    auto index = static_cast<usize>(found - chunks_.begin());
    if (found == chunks_.end()) {
        index = take_chunk();
        TRY(load(index, number));
    }
    chunks_[index].last_use = ++uses_;
    auto const memory = sessions_[index / chunks_per_session()].memory.span();
    auto const start = index % chunks_per_session() * chunk_bytes();
    auto const held = std::min<u64>(chunk_bytes(), size_bytes() - number * chunk_bytes());
    return std::span<u8 const>(reinterpret_cast<u8 const*>(memory.data()) + start, held);
}

// Waits without a deadline: after one, the driver might still write into memory that is in use for
// something else by then. A driver that died answers `dead`.
Result<void> DeviceCache::load(usize index, u64 number)
{
    auto const lba = number * chunk_sectors_;
    if (lba >= sectors_)
        return Error::invalid;
    chunks_[index] = {};
    auto const& session = sessions_[index / chunks_per_session()];
    auto const count = static_cast<u32>(std::min<u64>(chunk_sectors_, sectors_ - lba));
    auto const offset = static_cast<u32>(index % chunks_per_session() * chunk_bytes());
    auto const done = session.device.call(Block::Read { lba, count, offset });
    if (!done) {
        lost_ = done.error() == Error::dead || done.error() == Error::revoked;
        return done.error();
    }
    chunks_[index].number = number;
    return {};
}

} // namespace gemel::ext4
