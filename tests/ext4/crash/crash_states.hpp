// The states that a power cut may leave on a disk: what was flushed is there; of the writes since
// the last flush each one is there or not, on its own, and may be torn between its sectors.
#pragma once

#include "tests/ext4/crash/recording_device.hpp"

#include <functional>
#include <random>
#include <set>

namespace gemel::ext4::test {

struct CrashOptions {
    usize writes_max_for_all = 10; // in one epoch; beyond, subsets are sampled
    usize samples = 48;
    usize tears_per_write = 3;
    u64 seed = 1;
};

struct CrashState {
    DiskView const& image; // as long as it is visited
    u32 promised; // the last promise, which must hold
    std::string name; // the epoch and its writes that got through
};

class CrashStates {
public:
    // `before`: the image when the recording began; it is borrowed.
    CrashStates(DiskView before, RecordingDevice const& recorded, CrashOptions options);

    // Visits each distinct state until `visit` answers false.
    void each(std::function<bool(CrashState const&)> const& visit);

    u64 tried() const { return tried_; }
    u64 distinct() const { return seen_.size(); }

private:
    // A write, or some of its sectors: bit n of `sectors` is sector n (all of them: ~0).
    struct Piece {
        usize write;
        u64 sectors;
    };
    using Subset = std::vector<Piece>;

    bool run_epoch(usize number);
    bool run_subsets(usize number);
    bool run_samples(usize number);
    bool run_tears(usize number);
    bool try_subset(usize number, Subset const& subset);
    void prepare(Epoch const& epoch);
    void put(usize sector, std::span<u8 const> bytes, u64 hash);
    void apply(Piece const& piece);
    void undo();

    // A sector before it was written, and the hash of its bytes there (0: nobody asked yet).
    struct Undone {
        usize sector;
        u8 const* bytes;
        u64 hash;
    };

    DiskView view_;
    RecordingDevice const& recorded_;
    CrashOptions options_;
    std::function<bool(CrashState const&)> visit_;
    std::mt19937_64 random_;
    u64 hash_ = 0; // of the sectors that differ from the image before
    std::vector<u64> hashes_; // of each sector, as in Undone
    Epoch const* epoch_ = nullptr; // the one that is prepared
    std::vector<std::vector<u64>> written_; // hashes of its writes' sectors
    std::vector<Undone> undo_;
    std::set<std::pair<u64, u32>> seen_;
    u64 tried_ = 0;
};

} // namespace gemel::ext4::test
