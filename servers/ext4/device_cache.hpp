// The block device behind the volume, through a cache of pages. The driver moves bytes straight
// between the device and the cache's memory; a reader copies them once. What is written stays here
// until a flush, or until too much waits, and goes to the device in runs.
//
// Which page gives way is decided in cache_frames.hpp.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/ext4/cache_frames.hpp"
#include "servers/protocols/block.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"

#include <array>
#include <optional>
#include <vector>

namespace gemel::ext4 {

// Used by one thread at a time.
class DeviceCache final : public BlockDevice {
public:
    static constexpr usize session_bytes = 1 << 20;
    static constexpr usize bytes_max_default = 64 << 20;
    static constexpr u32 request_bytes_max = 512 * 1024;

    // Attaches its first memory to the device; more follows as it is needed, up to `bytes_max` (at
    // least one session_bytes), while the quota allows it. Errors: the device's, or no_memory and
    // quota.
    static Result<Own<DeviceCache>> create(
        Client<protocol::Block> device, usize bytes_max = bytes_max_default);

    // For create: has no memory yet.
    DeviceCache(
        Client<protocol::Block> device, protocol::Block::Info::Reply const& info, u32 sessions_max)
        : device_(std::move(device))
        , sectors_(info.sectors)
        , access_(info.access)
        , request_sectors_(std::min(info.sectors_max, request_bytes_max / protocol::sector_bytes))
        , sessions_max_(sessions_max)
        , frames_(sessions_max * session_frames, session_frames)
    {
    }

    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    Result<void> read_contents(u64 byte_offset, std::span<u8> target, u64 ahead) override;
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> write_contents(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> read_fresh(u64 byte_offset, std::span<u8> target) override;
    Result<void> flush() override;
    Result<void> discard(u64 byte_offset, u64 bytes) override;
    void abandon_writes() override;
    bool writable() const { return access_ == protocol::BlockAccess::read_write; }
    u64 size_bytes() const override { return sectors_ * protocol::sector_bytes; }
    // The driver is gone; only what is cached can be read.
    bool lost() const { return lost_; }

private:
    static constexpr u32 page_bytes = 4096;
    static constexpr u32 page_sectors = CacheFrames::page_sectors;
    static_assert(page_bytes == page_sectors * protocol::sector_bytes);
    static constexpr u32 session_frames = session_bytes / page_bytes;
    static constexpr u32 gathered_bytes_max = 256 * 1024;
    static constexpr u32 gathered_piece_bytes_max = 64 * 1024; // longer ones go from where they lie
    static constexpr u64 streak_bytes = 64 * 1024; // how far who goes on where it stopped is helped

    struct Session {
        SharedRegion memory;
        Client<protocol::Block> device;
    };
    // Sectors of the device.
    struct Range {
        u64 first = 0;
        u64 end = 0;

        u64 count() const { return end - first; }
    };
    // Sectors beside each other on the device and in the cache, from one in a frame on.
    struct Piece {
        u32 frame = 0;
        u32 skipped = 0; // sectors of the frame before it
        Range sectors {};
    };

    Result<Session> make_session(usize bytes);
    Result<void> add_session();
    Result<void> check(u64 byte_offset, usize bytes) const;
    Result<void> read_through(CacheList list, u64 byte_offset, std::span<u8> target, u64 ahead);
    Result<void> write_through(CacheList list, u64 byte_offset, std::span<u8 const> source);
    // The sectors of the page, which the last one may not have all of, and those in [from, to) as
    // bits.
    u32 sectors_of(u64 page) const;
    static u8 bits(u64 from, u64 to) { return static_cast<u8>((1u << to) - (1u << from)); }
    static u8 bits_of(u64 page, Range range);
    // At most up to `ahead_end` and at least the first page's part of `wanted` is in memory then.
    Result<void> load(CacheList list, Range wanted, u64 ahead_end);
    Result<void> load_pages(CacheList list, Range wanted, u64 ahead_end);
    // Sectors of one page that are not in memory.
    Result<void> load_gaps(u32 frame, Range wanted);
    Result<void> read_piece(Piece const& piece);
    // Frames for pages that are not in memory; what is dirty makes room if it has to.
    CacheFrames::Run take(CacheList list, u64 page, u32 pages_max);
    // The frame that holds the page, in the list that wants it.
    std::optional<u32> find(CacheList list, u64 page);
    u32 pages_behind(CacheList list, u32 frame, Range wanted);
    // The frame for a page that is written, perhaps without its bytes.
    u32 place(CacheList list, u64 page, u32 pages_max);
    // Writes all that is dirty. What the device refuses is forgotten, and said by the next flush.
    void write_back();
    // Pieces beside each other on the device.
    struct Group {
        static constexpr usize pieces_max = 64;

        std::array<Piece, pieces_max> pieces {};
        usize count = 0;

        u64 sectors() const
        {
            return count == 0 ? 0 : pieces[count - 1].sectors.end - pieces[0].sectors.first;
        }
    };
    bool joins(Group const& group, Piece const& piece) const;
    void write_group(Group const& group);
    Result<void> write_gathered(Group const& group);
    void write_piece(Piece const& piece);
    void note_written(Piece const& piece);
    void drop_range(Range pages);
    Client<protocol::Block> const& device_of(u32 frame) const
    {
        return sessions_[frame / session_frames].device;
    }
    // Where the frame's bytes lie, and those of the frames behind it in its session.
    std::span<u8> memory_of(u32 frame);
    u32 offset_of(Piece const& piece) const;
    template <typename T>
    Result<void> note_loss(Result<T> const& done);

    Client<protocol::Block> device_;
    u64 sectors_;
    protocol::BlockAccess access_;
    u32 request_sectors_;
    u32 sessions_max_;
    CacheFrames frames_;
    u64 read_end_ = 0; // of the last read
    bool lost_ = false;
    std::optional<Error> refused_; // a write of the past
    std::vector<Session> sessions_;
    std::optional<Session> gathering_; // where scattered pages are put together for one write
};

} // namespace gemel::ext4
