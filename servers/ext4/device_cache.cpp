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
    auto cache = std::make_unique<DeviceCache>(std::move(device), info, chunk_sectors);
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
        auto const bytes = memory_of(TRY(cached(byte_offset / chunk_bytes())));
        auto const skipped = byte_offset % chunk_bytes();
        auto const count = std::min<usize>(bytes.size() - skipped, target.size());
        if (count > size_bytes() - byte_offset)
            return Error::invalid;
        std::memcpy(target.data(), bytes.data() + skipped, count);
        target = target.subspan(count);
        byte_offset += count;
    }
    return {};
}

// The cache is changed first: sectors at the edges need their other bytes. If the device refuses,
// the chunk is forgotten.
Result<void> DeviceCache::write(u64 byte_offset, std::span<u8 const> source)
{
    while (!source.empty()) {
        auto const number = byte_offset / chunk_bytes();
        auto const skipped = byte_offset % chunk_bytes();
        auto const count = std::min<usize>(chunk_bytes() - skipped, source.size());
        if (byte_offset > size_bytes() || count > size_bytes() - byte_offset)
            return Error::invalid;
        auto const index = TRY(cached(number));
        std::memcpy(memory_of(index).data() + skipped, source.data(), count);
        auto const first = skipped / sector_bytes;
        auto const end = (skipped + count + sector_bytes - 1) / sector_bytes;
        auto const offset = index % chunks_per_session() * chunk_bytes() + first * sector_bytes;
        auto const done = sessions_[index / chunks_per_session()].device.call(
            Block::Write { .lba = number * chunk_sectors_ + first,
                .count = static_cast<u32>(end - first),
                .offset = static_cast<u32>(offset) });
        if (!done)
            chunks_[index] = {};
        TRY(note_loss(done));
        source = source.subspan(count);
        byte_offset += count;
    }
    return {};
}

Result<void> DeviceCache::flush()
{
    return note_loss(device_.call(Block::Flush {}));
}

template <typename T>
Result<void> DeviceCache::note_loss(Result<T> const& done)
{
    if (done)
        return {};
    lost_ = done.error() == Error::dead || done.error() == Error::revoked;
    return done.error();
}

std::span<u8> DeviceCache::memory_of(usize index)
{
    auto const memory = sessions_[index / chunks_per_session()].memory.span();
    auto const start = index % chunks_per_session() * chunk_bytes();
    return { reinterpret_cast<u8*>(memory.data()) + start, chunk_bytes() };
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

Result<usize> DeviceCache::cached(u64 number)
{
    auto const found = std::find_if(
        chunks_.begin(), chunks_.end(), [&](Chunk const& each) { return each.number == number; });
    auto index = static_cast<usize>(found - chunks_.begin());
    if (found == chunks_.end()) {
        index = take_chunk();
        TRY(load(index, number));
    }
    chunks_[index].last_use = ++uses_;
    return index;
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
    TRY(note_loss(session.device.call(Block::Read { lba, count, offset })));
    chunks_[index].number = number;
    return {};
}

} // namespace gemel::ext4
