#include "sim/faults/disk.hpp"

#include <array>
#include <cstring>

namespace gemel::sim {

using hosted::FileOutcome;

namespace {

constexpr u64 request_ns = 20'000; // a fast disk's
constexpr u32 slow_us_max = 50'000;
constexpr u64 domain_subset = 4096;
constexpr u64 domain_discard = u64 { 1 } << 32;

} // namespace

SimDisk::SimDisk(std::span<u8> image, Oracle& oracle, u32 device, Later later)
    : image_(image)
    , oracle_(oracle)
    , device_(device)
    , later_(std::move(later))
{
}

bool SimDisk::fails()
{
    return oracle_.choose({ Kind::disk_error, device_, requests_++ }, 2, 0) != 0;
}

FileOutcome SimDisk::read(u64 offset, u8* to, u32 bytes)
{
    if (fails() || offset > image_.size() || bytes > image_.size() - offset)
        return FileOutcome::failed;
    std::memcpy(to, image_.data() + offset, bytes);
    return FileOutcome::done;
}

FileOutcome SimDisk::write(u64 offset, u8 const* from, u32 bytes)
{
    if (fails() || offset > image_.size() || bytes > image_.size() - offset)
        return FileOutcome::failed;
    for (u32 done = 0; done < bytes; done += sector_bytes)
        put((offset + done) / sector_bytes, from + done);
    maybe_cut();
    return FileOutcome::done;
}

void SimDisk::put(u64 sector, u8 const* bytes)
{
    auto* at = image_.data() + sector * sector_bytes;
    Undo undo;
    undo.sector = sector;
    undo.ordinal = sector_writes_++;
    std::memcpy(undo.before, at, sector_bytes);
    std::memcpy(undo.after, bytes, sector_bytes);
    undo_.push_back(undo);
    std::memcpy(at, bytes, sector_bytes);
}

// What becomes of a sector depends on its place and on which discard it is. One that already holds
// what it would is not written: trimming an empty disk costs nothing.
FileOutcome SimDisk::discard(u64 offset, u64 bytes)
{
    if (fails() || offset > image_.size() || bytes > image_.size() - offset)
        return FileOutcome::failed;
    constexpr u8 rubbish = 0xD5;
    auto const number = discards_++;
    auto const first = offset / sector_bytes;
    for (auto sector = first; sector < first + bytes / sector_bytes; ++sector) {
        auto const seed = oracle_.unrecorded_seed();
        auto const fate = mix(seed, domain_discard + number, device_, sector) % 8;
        if (fate < 4)
            continue; // stays
        std::array<u8, sector_bytes> after;
        after.fill(fate == 4 ? rubbish : 0);
        if (std::memcmp(after.data(), image_.data() + sector * sector_bytes, sector_bytes) != 0)
            put(sector, after.data());
    }
    maybe_cut();
    return FileOutcome::done;
}

void SimDisk::maybe_cut()
{
    auto const number = writes_++;
    if (power_ == Power::stays || !cut_)
        return;
    auto const kind = power_ == Power::may_fail ? Kind::power_cut : Kind::recovery_cut;
    if (oracle_.choose({ kind, device_, number }, 2, 0) != 0)
        cut_();
}

FileOutcome SimDisk::flush()
{
    if (fails())
        return FileOutcome::failed;
    if (oracle_.choose({ Kind::disk_lie, device_, flushes_++ }, 2, 0) != 0)
        return FileOutcome::done;
    undo_.clear();
    ++epochs_;
    return FileOutcome::done;
}

u64 SimDisk::delay_ns()
{
    auto const slow = oracle_.choose({ Kind::disk_delay, device_, requests_ }, slow_us_max, 0);
    return request_ns + u64 { slow } * 1000;
}

void SimDisk::later(u64 delay_ns, std::function<void()> done)
{
    later_(delay_ns, std::move(done));
}

void SimDisk::roll_back()
{
    for (auto at = undo_.rbegin(); at != undo_.rend(); ++at)
        std::memcpy(image_.data() + at->sector * sector_bytes, at->before, sector_bytes);
}

void SimDisk::keep(Undo const& write)
{
    std::memcpy(image_.data() + write.sector * sector_bytes, write.after, sector_bytes);
}

// Back to the last flush, then the writes that survived, in their order.
void SimDisk::lose_power()
{
    roll_back();
    for (auto const& write : undo_) {
        auto const survives
            = mix(oracle_.seed(), static_cast<u64>(Kind::power_loss), device_, write.ordinal) & 1;
        Key const key { Kind::power_loss, device_, write.ordinal };
        if (oracle_.decide(key, static_cast<u32>(survives), 0) != 0)
            keep(write);
    }
    undo_.clear();
}

void SimDisk::each_loss(u32 count, std::function<bool(u32 number)> const& look)
{
    auto const seed = oracle_.unrecorded_seed();
    for (u32 number = 0; number < count; ++number) {
        roll_back();
        for (auto const& write : undo_)
            if ((mix(seed, domain_subset + number, device_, write.ordinal) & 1) != 0)
                keep(write);
        auto const goes_on = look(number);
        roll_back();
        for (auto const& write : undo_)
            keep(write);
        if (!goes_on)
            return;
    }
}

} // namespace gemel::sim
