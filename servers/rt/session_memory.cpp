#include "servers/rt/session_memory.hpp"

namespace gemel {

Result<SessionMemory> SessionMemory::map(Handle region)
{
    SessionMemory memory;
    memory.pieces_ = make_ref<Pieces>();
    TRY(memory.extend(std::move(region)));
    return memory;
}

Result<u32> SessionMemory::extend(Handle region) const
{
    if (!pieces_)
        return Error::invalid;
    auto& pieces = **pieces_;
    auto mapped = TRY(SharedRegion::map(std::move(region)));
    pieces.extending.lock();
    auto const count = pieces.count.load(std::memory_order_relaxed);
    auto result = Result<u32>(static_cast<u32>(count * region_bytes_max));
    if (count == pieces_max)
        result = Error::too_big;
    else if (count != 0 && pieces.mapped[count - 1].bytes() != region_bytes_max)
        result = Error::invalid;
    if (result) {
        pieces.mapped[count] = std::move(mapped);
        pieces.count.store(count + 1, std::memory_order_release);
    }
    pieces.extending.unlock();
    return result;
}

Result<std::span<std::byte>> SessionMemory::at(Span span) const
{
    auto const index = span.offset / region_bytes_max;
    if (!pieces_ || index >= (*pieces_)->count.load(std::memory_order_acquire)) {
        if (span == Span {})
            return std::span<std::byte> {};
        return Error::invalid;
    }
    return (*pieces_)->mapped[index].at(
        { static_cast<u32>(span.offset % region_bytes_max), span.length });
}

} // namespace gemel
