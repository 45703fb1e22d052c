#include "servers/ext4/device_cache.hpp"

#include "core/abi/operation.hpp"
#include "core/base/assert.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace gemel::ext4 {

using protocol::Block;
using protocol::sector_bytes;

Result<Own<DeviceCache>> DeviceCache::create(Client<Block> device, usize bytes_max)
{
    auto const info = TRY(device.call(Block::Info {}));
    if (info.sectors_max < page_sectors)
        return Error::invalid;
    auto const sessions = static_cast<u32>(std::max<usize>(1, bytes_max / session_bytes));
    auto cache = std::make_unique<DeviceCache>(std::move(device), info, sessions);
    TRY(cache->add_session());
    return cache;
}

Result<DeviceCache::Session> DeviceCache::make_session(usize bytes)
{
    auto memory = TRY(SharedRegion::create(bytes));
    auto region = TRY(memory.handle_for_peer());
    auto attached = TRY(device_.call(Block::Attach { std::move(region) }));
    return Session { std::move(memory), Client<Block>(std::move(attached.block)) };
}

Result<void> DeviceCache::add_session()
{
    sessions_.push_back(TRY(make_session(session_bytes)));
    frames_.add_region();
    return {};
}

Result<void> DeviceCache::check(u64 byte_offset, usize bytes) const
{
    if (byte_offset > size_bytes() || bytes > size_bytes() - byte_offset)
        return Error::invalid;
    return {};
}

Result<void> DeviceCache::read(u64 byte_offset, std::span<u8> target)
{
    return read_through(CacheList::metadata, byte_offset, target, 0);
}

Result<void> DeviceCache::read_contents(u64 byte_offset, std::span<u8> target, u64 ahead)
{
    return read_through(CacheList::contents, byte_offset, target, ahead);
}

Result<void> DeviceCache::write(u64 byte_offset, std::span<u8 const> source)
{
    return write_through(CacheList::metadata, byte_offset, source);
}

Result<void> DeviceCache::write_contents(u64 byte_offset, std::span<u8 const> source)
{
    return write_through(CacheList::contents, byte_offset, source);
}

// Who goes on where the last read stopped is helped along, also from one small file to the next.
Result<void> DeviceCache::read_through(
    CacheList list, u64 byte_offset, std::span<u8> target, u64 ahead)
{
    TRY(check(byte_offset, target.size()));
    auto const end = byte_offset + target.size();
    if (byte_offset == read_end_)
        ahead = std::max(ahead, (end + streak_bytes - 1) / streak_bytes * streak_bytes - end);
    read_end_ = end;
    auto const end_sector = (end + sector_bytes - 1) / sector_bytes;
    auto const ahead_end
        = std::min(sectors_, end_sector + std::min(ahead, size_bytes()) / sector_bytes);
    while (byte_offset < end) {
        auto const page = byte_offset / page_bytes;
        Range const wanted { byte_offset / sector_bytes, end_sector };
        auto const needed = bits_of(page, wanted);
        auto const frame = find(list, page);
        if (!frame || (frames_.at(*frame).held & needed) != needed) {
            TRY(load(list, wanted, ahead_end));
            continue;
        }
        auto const skipped = byte_offset % page_bytes;
        auto const pages = pages_behind(list, *frame, wanted);
        auto const count = std::min<usize>(pages * page_bytes - skipped, end - byte_offset);
        std::memcpy(target.data(), memory_of(*frame).data() + skipped, count);
        target = target.subspan(count);
        byte_offset += count;
    }
    return {};
}

// How many pages from the frame's on are wanted, are there and lie behind each other in memory,
// too: one copy takes them all.
u32 DeviceCache::pages_behind(CacheList list, u32 frame, Range wanted)
{
    auto const page = frames_.at(frame).page;
    auto const end = std::min(frame + (wanted.end - 1) / page_sectors - page + 1,
        align_down<u64>(frame, session_frames) + session_frames);
    frames_.note_use(frame);
    u32 pages = 1;
    for (; frame + pages < end; ++pages) {
        auto const& next = frames_.at(frame + pages);
        auto const needed = bits_of(page + pages, wanted);
        bool const moves = list == CacheList::metadata && next.list != list; // see find
        if (next.page != page + pages || (next.held & needed) != needed || moves)
            break;
        frames_.note_use(frame + pages);
    }
    return pages;
}

// Sectors at the edges need their other bytes.
Result<void> DeviceCache::write_through(CacheList list, u64 byte_offset, std::span<u8 const> source)
{
    TRY(check(byte_offset, source.size()));
    if (frames_.dirty_frames() > frames_.count() / 4)
        write_back(); // what is refused is not this write
    auto const end = byte_offset + source.size();
    while (byte_offset < end) {
        auto const page = byte_offset / page_bytes;
        auto const skipped = byte_offset % page_bytes;
        auto const count = std::min<usize>(page_bytes - skipped, end - byte_offset);
        auto const first = skipped / sector_bytes;
        auto const last = (skipped + count + sector_bytes - 1) / sector_bytes;
        auto const frame = place(list, page, static_cast<u32>((end - 1) / page_bytes - page + 1));
        auto const start = page * page_sectors;
        if (skipped % sector_bytes != 0)
            TRY(load_gaps(frame, { start + first, start + first + 1 }));
        if ((skipped + count) % sector_bytes != 0)
            TRY(load_gaps(frame, { start + last - 1, start + last }));
        std::memcpy(memory_of(frame).data() + skipped, source.data(), count);
        auto const written = bits(first, last);
        auto& held = frames_.at(frame).held;
        held = static_cast<u8>(held | written);
        frames_.mark_dirty(frame, written);
        source = source.subspan(count);
        byte_offset += count;
    }
    return {};
}

// What was read before counts no more, unless it is what we wrote.
Result<void> DeviceCache::read_fresh(u64 byte_offset, std::span<u8> target)
{
    TRY(check(byte_offset, target.size()));
    Range const range { byte_offset / sector_bytes,
        (byte_offset + target.size() + sector_bytes - 1) / sector_bytes };
    for (auto page = range.first / page_sectors; page * page_sectors < range.end; ++page) {
        if (auto const frame = frames_.find(page)) {
            auto& held = frames_.at(*frame).held;
            held = static_cast<u8>(held & (~bits_of(page, range) | frames_.at(*frame).dirty));
        }
    }
    return read(byte_offset, target);
}

Result<void> DeviceCache::flush()
{
    write_back();
    if (auto const refused = std::exchange(refused_, {}))
        return *refused;
    return note_loss(device_.call(Block::Flush {}));
}

Result<void> DeviceCache::discard(u64 byte_offset, u64 bytes)
{
    if (byte_offset % sector_bytes != 0 || bytes % sector_bytes != 0)
        return Error::invalid;
    TRY(check(byte_offset, bytes));
    write_back();
    if (refused_)
        return *refused_;
    drop_range({ byte_offset / page_bytes, (byte_offset + bytes + page_bytes - 1) / page_bytes });
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

void DeviceCache::abandon_writes()
{
    for (auto const frame : frames_.take_dirty())
        frames_.drop(frame);
}

void DeviceCache::drop_range(Range pages)
{
    if (pages.count() < frames_.count()) {
        for (auto page = pages.first; page < pages.end; ++page) {
            if (auto const frame = frames_.find(page))
                frames_.drop(*frame);
        }
        return;
    }
    for (u32 frame = 0; frame < frames_.count(); ++frame) {
        auto const page = frames_.at(frame).page;
        if (page >= pages.first && page < pages.end)
            frames_.drop(frame);
    }
}

template <typename T>
Result<void> DeviceCache::note_loss(Result<T> const& done)
{
    if (done)
        return {};
    lost_ |= done.error() == Error::dead || done.error() == Error::revoked;
    return done.error();
}

std::span<u8> DeviceCache::memory_of(u32 frame)
{
    auto const memory = sessions_[frame / session_frames].memory.span();
    auto const start = usize { frame % session_frames } * page_bytes;
    return { reinterpret_cast<u8*>(memory.data()) + start, memory.size() - start };
}

u32 DeviceCache::offset_of(Piece const& piece) const
{
    return piece.frame % session_frames * page_bytes + piece.skipped * sector_bytes;
}

u32 DeviceCache::sectors_of(u64 page) const
{
    return static_cast<u32>(std::min<u64>(page_sectors, sectors_ - page * page_sectors));
}

u8 DeviceCache::bits_of(u64 page, Range range)
{
    auto const start = page * page_sectors;
    auto const from = std::max(range.first, start);
    auto const to = std::min(range.end, start + page_sectors);
    return from < to ? bits(from - start, to - start) : u8 { 0 };
}

std::optional<u32> DeviceCache::find(CacheList list, u64 page)
{
    auto const frame = frames_.find(page);
    // Metadata in a block that held a file's contents before, or beside one that does.
    if (!frame || list == CacheList::contents || frames_.at(*frame).list == list)
        return frame;
    auto const moved = frames_.move(*frame, list);
    if (!moved)
        return frames_.find(page);
    std::memcpy(memory_of(*moved).data(), memory_of(*frame).data(), page_bytes);
    return moved;
}

CacheFrames::Run DeviceCache::take(CacheList list, u64 page, u32 pages_max)
{
    if (!frames_.has_room(list) && sessions_.size() < sessions_max_ && !add_session())
        sessions_max_ = static_cast<u32>(sessions_.size());
    if (auto const run = frames_.take(list, page, pages_max))
        return *run;
    write_back();
    auto const run = frames_.take(list, page, pages_max);
    ASSERT(run); // nothing is dirty now
    return *run;
}

u32 DeviceCache::place(CacheList list, u64 page, u32 pages_max)
{
    if (auto const frame = find(list, page))
        return *frame;
    // The whole of a long write gets frames beside each other.
    u32 pages = 1;
    while (
        pages < std::min(pages_max, request_sectors_ / page_sectors) && !frames_.find(page + pages))
        ++pages;
    return take(list, page, pages).first;
}

Result<void> DeviceCache::load(CacheList list, Range wanted, u64 ahead_end)
{
    auto const page = wanted.first / page_sectors;
    if (auto const frame = frames_.find(page)) {
        wanted.end = std::min(wanted.end, (page + 1) * page_sectors);
        return load_gaps(*frame, wanted);
    }
    return load_pages(list, wanted, ahead_end);
}

// The pages that are not in memory from the first on, in one request. What nobody asked for may be
// unreadable without harm.
Result<void> DeviceCache::load_pages(CacheList list, Range wanted, u64 ahead_end)
{
    auto const first = wanted.first / page_sectors;
    auto const last = (std::max(wanted.end, ahead_end) - 1) / page_sectors;
    u32 pages = 1;
    while (first + pages <= last && pages < request_sectors_ / page_sectors
        && !frames_.find(first + pages))
        ++pages;
    auto const run = take(list, first, pages);
    auto const end = first + run.count;
    Piece const piece { run.first, 0,
        { first * page_sectors, std::min(sectors_, end * page_sectors) } };
    auto done = read_piece(piece);
    if (done) {
        auto const asked_end = (wanted.end + page_sectors - 1) / page_sectors;
        for (auto page = std::max(asked_end, first); page < end; ++page)
            frames_.at(run.first + static_cast<u32>(page - first)).ahead = true;
        return {};
    }
    for (u32 each = 1; each < run.count; ++each)
        frames_.drop(run.first + each);
    if (lost_) {
        frames_.drop(run.first);
        return done.error();
    }
    return load_gaps(run.first, { wanted.first, std::min(wanted.end, (first + 1) * page_sectors) });
}

Result<void> DeviceCache::load_gaps(u32 frame, Range wanted)
{
    auto const start = frames_.at(frame).page * page_sectors;
    for (auto sector = wanted.first - start; sector < wanted.end - start;) {
        if ((frames_.at(frame).held >> sector & 1) != 0) {
            ++sector;
            continue;
        }
        auto end = sector + 1;
        while (end < wanted.end - start && (frames_.at(frame).held >> end & 1) == 0)
            ++end;
        TRY(read_piece({ frame, static_cast<u32>(sector), { start + sector, start + end } }));
        sector = end;
    }
    return {};
}

// Waits without a deadline: after one, the driver might still write into memory that is in use for
// something else by then. A driver that died answers `dead`.
Result<void> DeviceCache::read_piece(Piece const& piece)
{
    TRY(note_loss(device_of(piece.frame)
                      .call(Block::Read { piece.sectors.first,
                          static_cast<u32>(piece.sectors.count()), offset_of(piece) })));
    auto const first_page = piece.sectors.first / page_sectors;
    for (auto page = first_page; page * page_sectors < piece.sectors.end; ++page) {
        auto& held = frames_.at(piece.frame + static_cast<u32>(page - first_page)).held;
        held = static_cast<u8>(held | bits_of(page, piece.sectors));
    }
    return {};
}

void DeviceCache::write_back()
{
    Group group;
    Piece piece;
    auto const write_group_now = [&] {
        write_group(group);
        group.count = 0;
    };
    auto const end_piece = [&] {
        if (piece.sectors.count() == 0)
            return;
        if (!joins(group, piece))
            write_group_now();
        group.pieces[group.count++] = std::exchange(piece, {});
    };
    for (auto const frame : frames_.take_dirty()) {
        auto const start = frames_.at(frame).page * page_sectors;
        u32 dirty = frames_.at(frame).dirty;
        while (dirty != 0) {
            auto const first = static_cast<u32>(std::countr_zero(dirty));
            auto const count = static_cast<u32>(std::countr_one(dirty >> first));
            dirty &= ~(((1u << count) - 1) << first);
            auto const before = piece.frame * page_sectors + piece.skipped;
            bool const goes_on = piece.sectors.count() > 0
                && piece.frame / session_frames == frame / session_frames
                && before + piece.sectors.count() == frame * page_sectors + first
                && piece.sectors.end == start + first
                && piece.sectors.count() + count <= request_sectors_;
            if (!goes_on) {
                end_piece();
                piece = { frame, first, { start + first, start + first } };
            }
            piece.sectors.end += count;
        }
    }
    end_piece();
    write_group_now();
}

bool DeviceCache::joins(Group const& group, Piece const& piece) const
{
    constexpr auto piece_sectors_max = gathered_piece_bytes_max / sector_bytes;
    if (group.count == 0)
        return true;
    auto const& last = group.pieces[group.count - 1].sectors;
    return last.end == piece.sectors.first && group.count < Group::pieces_max
        && last.count() <= piece_sectors_max && piece.sectors.count() <= piece_sectors_max
        && group.sectors() + piece.sectors.count()
        <= std::min(request_sectors_, gathered_bytes_max / sector_bytes);
}

// Scattered pieces cost a copy rather than a request each. Where that is refused, each says for
// itself whether it is what was refused.
void DeviceCache::write_group(Group const& group)
{
    if (group.count > 1 && write_gathered(group))
        return;
    for (usize each = 0; each < group.count; ++each)
        write_piece(group.pieces[each]);
}

Result<void> DeviceCache::write_gathered(Group const& group)
{
    if (!gathering_)
        gathering_ = TRY(make_session(gathered_bytes_max));
    auto* target = reinterpret_cast<u8*>(gathering_->memory.span().data());
    for (usize each = 0; each < group.count; ++each) {
        auto const& piece = group.pieces[each];
        auto const bytes = piece.sectors.count() * sector_bytes;
        std::memcpy(target, memory_of(piece.frame).data() + piece.skipped * sector_bytes, bytes);
        target += bytes;
    }
    TRY(note_loss(gathering_->device.call(Block::Write { .lba = group.pieces[0].sectors.first,
        .count = static_cast<u32>(group.sectors()),
        .offset = 0 })));
    for (usize each = 0; each < group.count; ++each)
        note_written(group.pieces[each]);
    return {};
}

void DeviceCache::note_written(Piece const& piece)
{
    auto const first_page = piece.sectors.first / page_sectors;
    for (auto page = first_page; page * page_sectors < piece.sectors.end; ++page) {
        auto& dirty = frames_.at(piece.frame + static_cast<u32>(page - first_page)).dirty;
        dirty = static_cast<u8>(dirty & ~bits_of(page, piece.sectors));
    }
}

void DeviceCache::write_piece(Piece const& piece)
{
    auto const done = note_loss(device_of(piece.frame)
                                    .call(Block::Write { .lba = piece.sectors.first,
                                        .count = static_cast<u32>(piece.sectors.count()),
                                        .offset = offset_of(piece) }));
    note_written(piece);
    if (done)
        return;
    if (!refused_)
        refused_ = done.error();
    auto const first_page = piece.sectors.first / page_sectors;
    for (auto page = first_page; page * page_sectors < piece.sectors.end; ++page)
        frames_.drop(piece.frame + static_cast<u32>(page - first_page));
}

} // namespace gemel::ext4
