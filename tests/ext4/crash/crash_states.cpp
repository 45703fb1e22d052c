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

// Of bytes at that place; never 0.
u64 hash_of(usize sector, u8 const* bytes)
{
    auto hash = mix(sector + 1);
    for (usize offset = 0; offset < DiskView::sector_bytes; offset += 8) {
        u64 word = 0;
        std::memcpy(&word, bytes + offset, sizeof word);
        hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15;
        hash ^= hash >> 29;
    }
    return mix(hash) | 1;
}

} // namespace

CrashStates::CrashStates(DiskView before, RecordingDevice const& recorded, CrashOptions options)
    : view_(std::move(before))
    , recorded_(recorded)
    , options_(options)
    , random_(options.seed)
    , hashes_(view_.size() / DiskView::sector_bytes)
{
}

void CrashStates::each(std::function<bool(CrashState const&)> const& visit)
{
    visit_ = visit;
    for (usize number = 0; number < recorded_.epochs().size(); ++number) {
        if (!run_epoch(number))
            return;
        for (usize write = 0; write < recorded_.epochs()[number].size(); ++write)
            apply({ write, all_sectors });
        undo_.clear(); // it stays
    }
    // The power stays on: all is there, flushed or not.
    try_subset(recorded_.epochs().size(), {});
}

bool CrashStates::run_epoch(usize number)
{
    auto const count = recorded_.epochs()[number].size();
    prepare(recorded_.epochs()[number]);
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
        auto const sectors = std::min<u64>(63, epoch[last].bytes.size() / DiskView::sector_bytes);
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
        apply(piece);
    auto const promised = recorded_.promised(number);
    bool going = true;
    if (seen_.emplace(hash_, promised).second) {
        auto name = "epoch " + std::to_string(number) + ", writes";
        for (auto const& piece : subset) {
            name += " " + std::to_string(piece.write);
            if (piece.sectors != all_sectors)
                name += "/" + std::to_string(piece.sectors);
        }
        going = visit_({ view_, promised, std::move(name) });
    }
    undo();
    return going;
}

void CrashStates::prepare(Epoch const& epoch)
{
    epoch_ = &epoch;
    written_.clear();
    for (auto const& write : epoch) {
        auto& hashes = written_.emplace_back();
        auto const first = write.offset / DiskView::sector_bytes;
        for (usize at = 0; at < write.bytes.size(); at += DiskView::sector_bytes)
            hashes.push_back(hash_of(first + hashes.size(), write.bytes.data() + at));
    }
}

void CrashStates::put(usize sector, std::span<u8 const> bytes, u64 hash)
{
    auto& known = hashes_[sector];
    if (known == 0)
        known = hash_of(sector, view_.sector(sector));
    undo_.push_back({ sector, view_.sector(sector), known });
    hash_ ^= known ^ hash;
    known = hash;
    view_.put(sector, bytes);
}

void CrashStates::apply(Piece const& piece)
{
    auto const& write = (*epoch_)[piece.write];
    auto const& hashes = written_[piece.write];
    for (usize each = 0; each < hashes.size(); ++each) {
        bool const there
            = piece.sectors == all_sectors || (each < 63 && (piece.sectors >> each & 1) != 0);
        if (!there)
            continue;
        auto const at = each * DiskView::sector_bytes;
        put(write.offset / DiskView::sector_bytes + each,
            std::span(write.bytes).subspan(at, DiskView::sector_bytes), hashes[each]);
    }
}

void CrashStates::undo()
{
    for (; !undo_.empty(); undo_.pop_back()) {
        auto const& last = undo_.back();
        hash_ ^= hashes_[last.sector] ^ last.hash;
        hashes_[last.sector] = last.hash;
        view_.put(last.sector, { last.bytes, DiskView::sector_bytes });
    }
}

} // namespace gemel::ext4::test
