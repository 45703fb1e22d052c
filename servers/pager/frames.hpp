// Page frames: memory taken in chunks, given out page by page. A frame is shared by as many pages
// of regions as its count says, and free again with the last of them.
#pragma once

#include "servers/pager/memory_source.hpp"
#include "servers/rt/broker.hpp"

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <span>

namespace gemel::pager {

inline constexpr u32 chunk_frames = 64;

// 0 is none.
using Frame = u32;

enum class PageAccess : u8 { read, write };

class Frames {
public:
    Frames(MemorySource& source, MemoryBroker const& memory)
        : source_(source)
        , memory_(memory)
    {
    }
    Frames(Frames const&) = delete;
    ~Frames();

    // Zeros, held once. quota, no_memory.
    Result<Frame> take();
    // A frame is held at most 255 times: as often as a program has regions, at most.
    void share(Frame frame) { ++held(frame); }
    bool shared(Frame frame) { return held(frame) > 1; }
    enum class Left : u8 { free, held };
    Left release(Frame frame);
    std::span<std::byte, page_bytes> bytes(Frame frame);
    // Puts it into a region's page, in place of what is there.
    Result<void> put(Frame frame, Handle const& region, u32 page, PageAccess access);
    // A page of zeros that nobody can write, and that costs nothing. Of all the places where it may
    // be, at most 65,535: then too_big.
    Result<void> put_zeros(Handle const& region, u32 page);
    usize used() const { return used_; }

private:
    struct Chunk {
        Handle region;
        u64 address = 0;
        u64 taken = 0; // bit n: frame n
        u64 used_before = 0; // bit n: frame n holds what its last holder left
        std::array<u8, chunk_frames> holders {};
    };

    Result<void> add_chunk();
    Result<Chunk> make_chunk(u32 pages);
    void drop(Chunk chunk);
    Result<void> fill(
        Handle const& to, u32 page, Chunk const& from, u32 place, PageAccess access) const;
    static u32 number_of(Frame frame) { return frame / chunk_frames; }
    static u32 place_of(Frame frame) { return frame % chunk_frames; }
    u8& held(Frame frame) { return chunks_.at(number_of(frame)).holders[place_of(frame)]; }

    MemorySource& source_;
    MemoryBroker const& memory_;
    std::map<u32, Chunk> chunks_; // by number, from 1
    std::optional<Chunk> zeros_; // one page
    usize used_ = 0;
};

} // namespace gemel::pager
