#include "sim/record/record_disk.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::sim {

using hosted::FileOutcome;

namespace {

constexpr u32 block_sectors = 8;
constexpr u32 sector_bytes = record_sector_bytes;
constexpr u64 sectors_max = u64 { 1 } << 20; // of one record

} // namespace

// --- sectors ---

u64& SectorSet::word_of(u64 sector)
{
    auto& part = parts_[sector / part_sectors];
    part.resize(part_sectors / 64);
    return part[sector % part_sectors / 64];
}

bool SectorSet::has(u64 sector) const
{
    auto const found = parts_.find(sector / part_sectors);
    return found != parts_.end()
        && (found->second[sector % part_sectors / 64] >> (sector % 64) & 1) != 0;
}

void SectorSet::add(u64 sector, u64 count)
{
    for (auto at = sector; at < sector + count; ++at)
        word_of(at) |= u64 { 1 } << (at % 64);
}

void SectorSet::remove(u64 sector, u64 count)
{
    for (auto at = sector; at < sector + count; ++at)
        word_of(at) &= ~(u64 { 1 } << (at % 64));
}

// --- recording ---

FileOutcome RecordingDisk::noted(FileOutcome outcome)
{
    if (outcome == FileOutcome::failed)
        world_.disk_failed(requests_);
    ++requests_;
    return outcome;
}

void RecordingDisk::begins()
{
    if (world_.has(Whose::younger))
        known(Whose::older) = std::move(known(Whose::younger));
    known(Whose::younger) = { {}, false };
}

template <typename News>
void RecordingDisk::learn(Whose whose, u64 first, u64 count, News&& news)
{
    auto& set = known(whose).sectors;
    for (u64 i = 0; i < count;) {
        auto const is_known = set.has(first + i);
        auto end = i + 1;
        while (end < count && set.has(first + end) == is_known)
            ++end;
        if (!is_known) {
            news(first + i, end - i);
            set.add(first + i, end - i);
        }
        i = end;
    }
}

FileOutcome RecordingDisk::read(u64 offset, u8* to, u32 bytes)
{
    auto const outcome = medium_.read(offset, to, bytes);
    auto const begin = offset / sector_bytes;
    if (outcome == FileOutcome::done)
        for (auto const whose : both)
            if (world_.has(whose))
                learn(whose, begin, bytes / sector_bytes, [&](u64 first, u64 count) {
                    world_.disk_bytes(whose, first,
                        { to + (first - begin) * sector_bytes, count * sector_bytes });
                });
    return noted(outcome);
}

// Of a write that failed nobody knows how much has happened.
FileOutcome RecordingDisk::write(u64 offset, u8 const* from, u32 bytes)
{
    auto const outcome = medium_.write(offset, from, bytes);
    auto const begin = offset / sector_bytes;
    auto const sectors = bytes / sector_bytes;
    for (auto const whose : both) {
        if (outcome == FileOutcome::failed)
            known(whose).sectors.remove(begin, sectors);
        else if (world_.has(whose))
            learn(whose, begin, sectors, [&](u64 first, u64 count) {
                if (!known(whose).from_boot)
                    world_.disk_written(whose, first, count);
            });
    }
    return noted(outcome);
}

FileOutcome RecordingDisk::flush()
{
    return noted(medium_.flush());
}

// What is read there next is news again.
FileOutcome RecordingDisk::discard(u64 offset, u64 bytes)
{
    auto const outcome = medium_.discard(offset, bytes);
    for (auto& each : known_)
        each.sectors.remove(offset / sector_bytes, bytes / sector_bytes);
    return noted(outcome);
}

// --- playing back ---

// In a window, the session wrote there later without having read: the image has that.
void PlayedDisk::lose(Record const& record)
{
    Fields fields { record.bytes };
    auto const first = fields.number();
    auto const count = fields.number();
    if (fields.ok() && count <= sectors_max)
        lost_.add(first, count);
}

u8* PlayedDisk::place_of(u64 sector)
{
    auto& block = blocks_[sector / block_sectors];
    block.resize(block_sectors * sector_bytes);
    return block.data() + sector % block_sectors * sector_bytes;
}

bool PlayedDisk::fails()
{
    auto const number = requests_++;
    auto const& next = world_.records().next();
    if (live_ || next.kind != RecordKind::disk_failed || Fields { next.bytes }.number() != number)
        return false;
    (void)world_.taken(RecordKind::disk_failed);
    return true;
}

// A record whose lengths do not fit each other tells nothing: the read that needs it says so.
void PlayedDisk::take(Record const& record)
{
    Fields fields { record.bytes };
    auto const first = fields.number();
    auto const count = fields.number();
    auto const bytes = fields.rest();
    if (!fields.ok() || count > sectors_max
        || (!bytes.empty() && bytes.size() != count * sector_bytes))
        return;
    for (u64 i = 0; i < count; ++i) {
        if (live_ && known_.has(first + i))
            continue; // written since
        auto* to = place_of(first + i);
        if (bytes.empty())
            std::memset(to, 0, sector_bytes);
        else
            std::memcpy(to, bytes.data() + i * sector_bytes, sector_bytes);
        known_.add(first + i, 1);
    }
}

FileOutcome PlayedDisk::read(u64 offset, u8* to, u32 bytes)
{
    auto const first = offset / sector_bytes;
    while (auto const record = live_ ? std::nullopt : world_.taken(RecordKind::disk_bytes))
        take(*record);
    if (fails())
        return FileOutcome::failed;
    for (u32 i = 0; i < bytes / sector_bytes; ++i) {
        auto* at = to + i * sector_bytes;
        if (known_.has(first + i)) {
            std::memcpy(at, place_of(first + i), sector_bytes);
        } else if (live_) {
            if (lost_.has(first + i) || !unknown_
                || !unknown_(offset + i * sector_bytes, at, sector_bytes))
                return FileOutcome::failed;
        } else {
            if (world_.records().next().kind != RecordKind::nothing)
                world_.differ("it reads sector " + std::to_string(first + i)
                    + " of the disk, which the session did not read by then");
            return FileOutcome::failed; // cut off: the run ends at its next entry
        }
    }
    return FileOutcome::done;
}

FileOutcome PlayedDisk::write(u64 offset, u8 const* from, u32 bytes)
{
    auto const first = offset / sector_bytes;
    while (!live_ && world_.taken(RecordKind::disk_written))
        ;
    if (fails()) {
        known_.remove(first, bytes / sector_bytes);
        return FileOutcome::failed;
    }
    for (u32 i = 0; i < bytes / sector_bytes; ++i)
        std::memcpy(place_of(first + i), from + i * sector_bytes, sector_bytes);
    known_.add(first, bytes / sector_bytes);
    return FileOutcome::done;
}

FileOutcome PlayedDisk::flush()
{
    return fails() ? FileOutcome::failed : FileOutcome::done;
}

FileOutcome PlayedDisk::discard(u64 offset, u64 bytes)
{
    if (!live_)
        known_.remove(offset / sector_bytes, bytes / sector_bytes);
    return fails() ? FileOutcome::failed : FileOutcome::done;
}

void PlayedDisk::go_on(Unknown unknown)
{
    live_ = true;
    unknown_ = std::move(unknown);
    for (auto later = world_.records(); later.next().kind != RecordKind::nothing; later.take()) {
        if (later.next().kind == RecordKind::disk_bytes)
            take(later.next());
        else if (later.next().kind == RecordKind::disk_written)
            lose(later.next());
    }
}

} // namespace gemel::sim
