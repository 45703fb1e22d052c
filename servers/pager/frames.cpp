#include "servers/pager/frames.hpp"

#include "servers/rt/thread.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gemel::pager {

static_assert(chunk_frames == 64, "a word has a bit for each frame");

Frames::~Frames()
{
    for (auto& [number, chunk] : chunks_)
        drop(std::move(chunk));
    if (zeros_)
        drop(std::move(*zeros_));
}

Result<Frames::Chunk> Frames::make_chunk(u32 pages)
{
    Chunk chunk { .region = TRY(source_.take(pages)) };
    auto const flags
        = static_cast<u16>(VmFlag::read | VmFlag::write) | static_cast<u16>(VmFlag::lasting);
    auto const mapping
        = self()->task->regions.map_anywhere(chunk.region.value(), static_cast<u16>(flags));
    if (!mapping) {
        source_.give_back(std::move(chunk.region));
        return mapping.error();
    }
    chunk.address = mapping->address;
    return chunk;
}

void Frames::drop(Chunk chunk)
{
    self()->task->regions.unmap(chunk.address, page_bytes);
    source_.give_back(std::move(chunk.region));
}

Result<void> Frames::add_chunk()
{
    u32 number = 1;
    while (chunks_.contains(number))
        ++number;
    auto const place = chunks_.try_emplace(number).first;
    auto chunk = make_chunk(chunk_frames);
    if (chunk)
        place->second = std::move(*chunk);
    else
        chunks_.erase(place);
    return chunk ? Result<void>() : chunk.error();
}

Result<Frame> Frames::take()
{
    auto const has_free = [](auto const& entry) { return ~entry.second.taken != 0; };
    auto found = std::ranges::find_if(chunks_, has_free);
    if (found == chunks_.end()) {
        TRY(add_chunk());
        found = std::ranges::find_if(chunks_, has_free);
    }
    auto& chunk = found->second;
    auto const place = static_cast<u32>(std::countr_zero(~chunk.taken));
    auto const frame = found->first * chunk_frames + place;
    auto const bit = u64 { 1 } << place;
    if (chunk.used_before & bit)
        std::ranges::fill(bytes(frame), std::byte {});
    chunk.taken |= bit;
    chunk.used_before |= bit;
    chunk.holders[place] = 1;
    ++used_;
    return frame;
}

Frames::Left Frames::release(Frame frame)
{
    auto const found = chunks_.find(number_of(frame));
    auto& chunk = found->second;
    if (--chunk.holders[place_of(frame)] != 0)
        return Left::held;
    --used_;
    chunk.taken &= ~(u64 { 1 } << place_of(frame));
    if (chunk.taken == 0) {
        drop(std::move(chunk));
        chunks_.erase(found);
    }
    return Left::free;
}

std::span<std::byte, page_bytes> Frames::bytes(Frame frame)
{
    auto const address = chunks_.at(number_of(frame)).address + place_of(frame) * page_bytes;
    return std::span<std::byte, page_bytes>(reinterpret_cast<std::byte*>(address), page_bytes);
}

// A page is no more writable in its new place than through the capability it comes from.
Result<void> Frames::fill(
    Handle const& to, u32 page, Chunk const& from, u32 place, PageAccess access) const
{
    if (access == PageAccess::write)
        return memory_.fill(to, page, from.region, place);
    auto const read_only = TRY(from.region.derive(Right::read | Right::grant));
    return memory_.fill(to, page, read_only, place);
}

Result<void> Frames::put(Frame frame, Handle const& region, u32 page, PageAccess access)
{
    return fill(region, page, chunks_.at(number_of(frame)), place_of(frame), access);
}

Result<void> Frames::put_zeros(Handle const& region, u32 page)
{
    if (!zeros_)
        zeros_ = TRY(make_chunk(1));
    return fill(region, page, *zeros_, 0, PageAccess::read);
}

} // namespace gemel::pager
