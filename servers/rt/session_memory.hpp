// The memory that a client shares with a server for a whole session: one region, or several end to
// end, so that a message's spans can name more than one region holds.
#pragma once

#include "servers/rt/lock.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"

#include <array>

namespace gemel {

// The server's side. Copies share the mappings, which end with the last copy.
class SessionMemory {
public:
    static constexpr u32 pieces_max = 64;

    // Empty: only an empty span lies in it.
    SessionMemory() = default;
    static Result<SessionMemory> map(Handle region);

    // Adds a region behind what is there; the offset of its first byte. Pieces begin at multiples
    // of region_bytes_max: only the last may be shorter (invalid). Over pieces_max -> too_big.
    Result<u32> extend(Handle region) const;
    // The bytes a message's span names; invalid when it leaves the memory or crosses from one piece
    // into the next.
    Result<std::span<std::byte>> at(Span span) const;

private:
    struct Pieces {
        std::array<SharedRegion, pieces_max> mapped;
        std::atomic<u32> count { 0 }; // those below are there and stay
        Lock extending;
    };
    std::optional<Ref<Pieces>> pieces_;
};

} // namespace gemel
