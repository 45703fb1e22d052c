// Disks around a recording: one that notes what the session reads for the first time, and one that
// gives it back. What the session itself wrote needs no record: it writes it again.
#pragma once

#include "sim/devices/medium.hpp"
#include "sim/record/played_world.hpp"
#include "sim/record/recording_world.hpp"

#include <unordered_map>
#include <vector>

namespace gemel::sim {

inline constexpr u32 record_sector_bytes = 512;

// Which sectors of a disk somebody knows. Large disks cost what is used of them.
class SectorSet {
public:
    bool has(u64 sector) const;
    void add(u64 sector, u64 count);
    void remove(u64 sector, u64 count);

private:
    static constexpr u64 part_sectors = 4096;
    u64& word_of(u64 sector);

    std::unordered_map<u64, std::vector<u64>>
        parts_; // by sector / part_sectors; never gone through
};

class RecordingDisk final : public Medium {
public:
    // Both outlive it.
    RecordingDisk(Medium& medium, RecordingWorld& world)
        : medium_(medium)
        , world_(world)
    {
    }
    hosted::FileOutcome read(u64 offset, u8* to, u32 bytes) override;
    hosted::FileOutcome write(u64 offset, u8 const* from, u32 bytes) override;
    hosted::FileOutcome flush() override;
    hosted::FileOutcome discard(u64 offset, u64 bytes) override;

    // Another recording begins, as RecordingWorld::begins says.
    void begins();
    u64& requests() { return requests_; }

private:
    using Whose = RecordingWorld::Whose;
    static constexpr Whose both[] = { Whose::older, Whose::younger };

    hosted::FileOutcome noted(hosted::FileOutcome outcome);
    // What a recording knows of a disk.
    struct Known {
        SectorSet sectors;
        bool from_boot = true; // or from a restart point: the session may have written others
    };
    // Calls `news(first, count)` for each run of sectors that it does not know; then it does.
    template <typename News>
    void learn(Whose whose, u64 first, u64 count, News&& news);
    Known& known(Whose whose) { return known_[static_cast<u32>(whose)]; }

    Medium& medium_;
    RecordingWorld& world_;
    Known known_[2]; // of each recording
    u64 requests_ = 0;
};

class PlayedDisk final : public Medium {
public:
    // Bytes of the disk that the recording does not hold; false: nobody knows them.
    using Unknown = std::function<bool(u64 offset, u8* to, u32 bytes)>;

    explicit PlayedDisk(PlayedWorld& world) // outlives it
        : world_(world)
    {
    }
    hosted::FileOutcome read(u64 offset, u8* to, u32 bytes) override;
    hosted::FileOutcome write(u64 offset, u8 const* from, u32 bytes) override;
    hosted::FileOutcome flush() override;
    hosted::FileOutcome discard(u64 offset, u64 bytes) override;

    u64& requests() { return requests_; }

    // The recording is left behind: what it would still have told of the disk is taken now, and
    // `unknown` asked for the rest. Nothing is written anywhere but here.
    void go_on(Unknown unknown);

private:
    bool fails();
    void take(Record const& record);
    void lose(Record const& record);
    u8* place_of(u64 sector);

    PlayedWorld& world_;
    std::unordered_map<u64, std::vector<u8>> blocks_; // by sector / 8; never gone through
    SectorSet known_;
    SectorSet lost_; // what they held is in no file, nor in the image by now
    Unknown unknown_;
    u64 requests_ = 0;
    bool live_ = false;
};

} // namespace gemel::sim
