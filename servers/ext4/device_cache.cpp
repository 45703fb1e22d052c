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
    bool const goes_on = byte_offset == read_end_;
    if (byte_offset > size_bytes() || target.size() > size_bytes() - byte_offset)
        return Error::invalid;
    read_end_ = byte_offset + target.size();
    while (!target.empty()) {
        auto const number = byte_offset / chunk_bytes();
        auto const skipped = byte_offset % chunk_bytes();
        auto const count = std::min<usize>(chunk_bytes() - skipped, target.size());
        auto const index = TRY(place_of(number));
        auto pages = pages_at(skipped, count);
        if (goes_on)
            pages.end = (chunk_bytes() + page_bytes - 1) / page_bytes;
        TRY(load(index, pages));
        std::memcpy(target.data(), memory_of(index).data() + skipped, count);
        target = target.subspan(count);
        byte_offset += count;
    }
    return {};
}

// The cache is changed first: sectors at the edges need their other bytes. If the device refuses,
// the chunk is forgotten.
Result<void> DeviceCache::write(u64 byte_offset, std::span<u8 const> source)
{
    if (byte_offset > size_bytes() || source.size() > size_bytes() - byte_offset)
        return Error::invalid;
    while (!source.empty()) {
        auto const number = byte_offset / chunk_bytes();
        auto const skipped = byte_offset % chunk_bytes();
        auto const count = std::min<usize>(chunk_bytes() - skipped, source.size());
        auto const index = TRY(place_of(number));
        auto const pages = pages_at(skipped, count);
        auto const end = skipped + count;
        if (skipped % page_bytes != 0)
            TRY(load(index, { pages.first, pages.first + 1 }));
        if (end % page_bytes != 0 && end != bytes_of(number))
            TRY(load(index, { pages.end - 1, pages.end }));
        std::memcpy(memory_of(index).data() + skipped, source.data(), count);
        for (auto page = pages.first; page < pages.end; ++page)
            chunks_[index].held |= 1u << page;
        auto const first = skipped / sector_bytes;
        auto const last = (end + sector_bytes - 1) / sector_bytes;
        auto const offset = index % chunks_per_session() * chunk_bytes() + first * sector_bytes;
        auto const done = sessions_[index / chunks_per_session()].device.call(
            Block::Write { .lba = number * chunk_sectors_ + first,
                .count = static_cast<u32>(last - first),
                .offset = static_cast<u32>(offset) });
        if (!done)
            drop(index);
        TRY(note_loss(done));
        source = source.subspan(count);
        byte_offset += count;
    }
    return {};
}

Result<void> DeviceCache::read_fresh(u64 byte_offset, std::span<u8> target)
{
    auto const end = byte_offset + target.size();
    for (auto number = byte_offset / chunk_bytes(); number * chunk_bytes() < end; ++number) {
        if (auto const found = places_.find(number); found != places_.end())
            drop(found->second);
    }
    return read(byte_offset, target);
}

Result<void> DeviceCache::flush()
{
    return note_loss(device_.call(Block::Flush {}));
}

Result<void> DeviceCache::discard(u64 byte_offset, u64 bytes)
{
    if (byte_offset % sector_bytes != 0 || bytes % sector_bytes != 0 || byte_offset > size_bytes()
        || bytes > size_bytes() - byte_offset)
        return Error::invalid;
    for (usize index = 0; index < chunks_.size(); ++index) {
        auto const start = chunks_[index].number * chunk_bytes();
        if (chunks_[index].last_use != 0 && start < byte_offset + bytes
            && byte_offset < start + chunk_bytes())
            drop(index);
    }
    for (u64 done = 0; done < bytes;) {
        auto const reply = device_.call(Block::Discard {
            .lba = (byte_offset + done) / sector_bytes, .count = (bytes - done) / sector_bytes });
        TRY(note_loss(reply));
        if (reply->count == 0 || reply->count > (bytes - done) / sector_bytes)
            return Error::io;
        done += reply->count * sector_bytes;
    }
    return {};
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

DeviceCache::Pages DeviceCache::pages_at(u64 skipped, usize count) const
{
    return { static_cast<u32>(skipped / page_bytes),
        static_cast<u32>((skipped + count + page_bytes - 1) / page_bytes) };
}

u32 DeviceCache::bytes_of(u64 number) const
{
    return static_cast<u32>(std::min<u64>(chunk_bytes(), size_bytes() - number * chunk_bytes()));
}

void DeviceCache::drop(usize index)
{
    places_.erase(chunks_[index].number);
    chunks_[index] = {};
}

Result<usize> DeviceCache::place_of(u64 number)
{
    if (number * chunk_sectors_ >= sectors_)
        return Error::invalid;
    auto const found = places_.find(number);
    auto const index = found != places_.end() ? found->second : take_chunk();
    if (found == places_.end()) {
        drop(index);
        places_[number] = index;
        chunks_[index].number = number;
    }
    chunks_[index].last_use = ++uses_;
    return index;
}

// Waits without a deadline: after one, the driver might still write into memory that is in use for
// something else by then. A driver that died answers `dead`.
Result<void> DeviceCache::load(usize index, Pages pages)
{
    auto& chunk = chunks_[index];
    auto const bytes = bytes_of(chunk.number);
    pages.end = std::min(pages.end, (bytes + page_bytes - 1) / page_bytes);
    auto const& session = sessions_[index / chunks_per_session()];
    auto const is_held = [&](u32 page) { return (chunk.held >> page & 1) != 0; };
    while (pages.first < pages.end) {
        if (is_held(pages.first)) {
            ++pages.first;
            continue;
        }
        auto end = pages.first + 1;
        while (end < pages.end && !is_held(end))
            ++end;
        auto const from = pages.first * page_bytes;
        auto const count = std::min(end * page_bytes, bytes) - from;
        auto const done = session.device.call(
            Block::Read { chunk.number * chunk_sectors_ + from / sector_bytes, count / sector_bytes,
                static_cast<u32>(index % chunks_per_session() * chunk_bytes()) + from });
        TRY(note_loss(done));
        for (; pages.first < end; ++pages.first)
            chunk.held |= 1u << pages.first;
    }
    return {};
}

} // namespace gemel::ext4
