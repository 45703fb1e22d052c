#include "tests/ext4/crash/crash_states.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::ext4::test {

namespace {

constexpr u64 all_sectors = ~0ull;

u64 mix(u64 value)
{
    value ^= value >> 32;
    value *= 0xD6E8'FEB8'6659'FD93;
    value ^= value >> 32;
    value *= 0xD6E8'FEB8'6659'FD93;
    return value ^ value >> 32;
}

} // namespace

CrashStates::CrashStates(
    std::vector<u8> before, RecordingDevice const& recorded, CrashOptions options)
    : image_(std::move(before))
    , recorded_(recorded)
    , options_(options)
    , random_(options.seed)
{
    for (u64 sector = 0; sector < image_.size() / sector_bytes; ++sector)
        hash_ ^= hash_of_sector(sector);
}

u64 CrashStates::hash_of_sector(u64 sector) const
{
    auto hash = mix(sector + 1);
    for (usize offset = 0; offset < sector_bytes; offset += 8) {
        u64 word = 0;
        std::memcpy(&word, image_.data() + sector * sector_bytes + offset, sizeof word);
        hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15;
        hash ^= hash >> 29;
    }
    return mix(hash);
}

void CrashStates::each(std::function<bool(CrashState const&)> const& visit)
{
    visit_ = visit;
    for (usize number = 0; number < recorded_.epochs().size(); ++number) {
        if (!run_epoch(number))
            return;
        for (auto const& write : recorded_.epochs()[number])
            apply(write, all_sectors, false);
    }
    // The power stays on: all is there, flushed or not.
    try_subset(recorded_.epochs().size(), {});
}

bool CrashStates::run_epoch(usize number)
{
    auto const count = recorded_.epochs()[number].size();
    bool const going
        = count <= options_.writes_max_for_all ? run_subsets(number) : run_samples(number);
    return going && run_tears(number);
}

bool CrashStates::run_subsets(usize number)
{
    auto const count = recorded_.epochs()[number].size();
    for (u64 bits = 0; bits < 1ull << count; ++bits) {
        Subset subset;
        for (usize write = 0; write < count; ++write) {
            if ((bits >> write & 1) != 0)
                subset.push_back({ write, all_sectors });
        }
        if (!try_subset(number, subset))
            return false;
    }
    return true;
}

// All prefixes, all that lack one write, all of one write alone, then random ones.
bool CrashStates::run_samples(usize number)
{
    auto const count = recorded_.epochs()[number].size();
    auto const choose = [&](auto const& wanted) {
        Subset subset;
        for (usize write = 0; write < count; ++write) {
            if (wanted(write))
                subset.push_back({ write, all_sectors });
        }
        return try_subset(number, subset);
    };
    for (usize one = 0; one <= count; ++one) {
        if (!choose([&](usize write) { return write < one; })
            || !choose([&](usize write) { return write != one; })
            || !choose([&](usize write) { return write == one; }))
            return false;
    }
    for (usize sample = 0; sample < options_.samples; ++sample) {
        auto const density = 1 + random_() % 7;
        if (!choose([&](usize) { return random_() % 8 < density; }))
            return false;
    }
    return true;
}

// Each write as the last one, cut after a sector or with any of its sectors.
bool CrashStates::run_tears(usize number)
{
    auto const& epoch = recorded_.epochs()[number];
    for (usize last = 0; last < epoch.size(); ++last) {
        auto const sectors = std::min<u64>(63, epoch[last].bytes.size() / sector_bytes);
        if (sectors < 2)
            continue;
        Subset subset;
        for (usize write = 0; write < last; ++write)
            subset.push_back({ write, all_sectors });
        subset.push_back({ last, 0 });
        for (usize tear = 0; tear < options_.tears_per_write; ++tear) {
            auto const cut = 1 + random_() % (sectors - 1);
            auto const first = (1ull << cut) - 1;
            subset.back().sectors = tear == 0 ? first
                : tear == 1                   ? ~first
                                              : random_() % (1ull << sectors);
            if (!try_subset(number, subset))
                return false;
        }
    }
    return true;
}

bool CrashStates::try_subset(usize number, Subset const& subset)
{
    ++tried_;
    for (auto const& piece : subset)
        apply(recorded_.epochs()[number][piece.write], piece.sectors, true);
    auto const promised = recorded_.promised(number);
    bool going = true;
    if (seen_.emplace(hash_, promised).second) {
        auto name = "epoch " + std::to_string(number) + ", writes";
        for (auto const& piece : subset) {
            name += " " + std::to_string(piece.write);
            if (piece.sectors != all_sectors)
                name += "/" + std::to_string(piece.sectors);
        }
        going = visit_({ image_, promised, std::move(name) });
    }
    undo();
    return going;
}

void CrashStates::put(u64 offset, std::span<u8 const> bytes, bool undoable)
{
    auto const first = offset / sector_bytes;
    auto const last = (offset + bytes.size() - 1) / sector_bytes;
    for (auto sector = first; sector <= last; ++sector)
        hash_ ^= hash_of_sector(sector);
    auto const place = image_.begin() + static_cast<std::ptrdiff_t>(offset);
    if (undoable)
        undo_.push_back({ offset, { place, place + static_cast<std::ptrdiff_t>(bytes.size()) } });
    std::copy(bytes.begin(), bytes.end(), place);
    for (auto sector = first; sector <= last; ++sector)
        hash_ ^= hash_of_sector(sector);
}

void CrashStates::apply(LoggedWrite const& write, u64 sectors, bool undoable)
{
    if (sectors == all_sectors) {
        put(write.offset, write.bytes, undoable);
        return;
    }
    for (usize sector = 0; sector < 63 && sector * sector_bytes < write.bytes.size(); ++sector) {
        if ((sectors >> sector & 1) == 0)
            continue;
        auto const start = sector * sector_bytes;
        put(write.offset + start,
            std::span(write.bytes)
                .subspan(start, std::min(sector_bytes, write.bytes.size() - start)),
            undoable);
    }
}

void CrashStates::undo()
{
    while (!undo_.empty()) {
        auto const last = std::move(undo_.back());
        undo_.pop_back();
        put(last.offset, last.bytes, false);
    }
}

} // namespace gemel::ext4::test
