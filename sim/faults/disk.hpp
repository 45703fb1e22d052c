// A disk that lies within limits. Its claims, which tests hold it to:
//   a flushed sector is never lost;
//   an unflushed sector may survive a power cut or not, each 512 bytes on its own: torn, reordered;
//   a discarded sector holds what it held, zeros or rubbish, each on its own, until it is written;
//   a read gives what was last written, whatever is safe;
//   a request may fail with an I/O error, and then nothing of it has happened;
//   a request may take its time, and requests complete in any order;
//   power may fail after any write (who made the disk says when that is asked).
// Beyond the limits, and only where a run asks for it by name: a flush is answered and not done.
#pragma once

#include "sim/devices/medium.hpp"
#include "sim/oracle/oracle.hpp"

#include <functional>
#include <span>
#include <vector>

namespace gemel::sim {

class SimDisk final : public Medium {
public:
    static constexpr u32 sector_bytes = 512;

    using Later = std::function<void(u64 delay_ns, std::function<void()>)>;

    // `image` is the disk, changed as it is written; it, the oracle and what `later` needs outlive
    // the disk. `device` is its entity in decisions.
    SimDisk(std::span<u8> image, Oracle& oracle, u32 device, Later later);

    hosted::FileOutcome read(u64 offset, u8* to, u32 bytes) override;
    hosted::FileOutcome write(u64 offset, u8 const* from, u32 bytes) override;
    hosted::FileOutcome flush() override;
    hosted::FileOutcome discard(u64 offset, u64 bytes) override;
    u64 delay_ns() override;
    void later(u64 delay_ns, std::function<void()> done) override;

    // Whether the power may fail after a write, and who is told; the call does not come back.
    enum class Power : u8 { stays, may_fail, may_fail_again };
    void power(Power power) { power_ = power; }
    void on_power_cut(std::function<void()> cut) { cut_ = std::move(cut); }

    // The power fails now: each unflushed sector write survives or not, as the oracle chooses, and
    // the image holds what is left.
    void lose_power();
    // The same, `count` times over, each with another subset and each taken back: `look` sees the
    // image as that power cut would leave it, until it answers false.
    void each_loss(u32 count, std::function<bool(u32 number)> const& look);
    // Flushes so far; sector writes since the last.
    u32 epochs() const { return epochs_; }
    usize unflushed() const { return undo_.size(); }

private:
    // What a sector held before an unflushed write, in the order of the writes.
    struct Undo {
        u64 sector;
        u32 ordinal; // of the sector write
        u8 before[sector_bytes];
        u8 after[sector_bytes];
    };

    bool fails();
    void roll_back();
    void keep(Undo const& write);
    void put(u64 sector, u8 const* bytes);
    void maybe_cut();

    std::span<u8> image_;
    Oracle& oracle_;
    u32 device_;
    Later later_;
    u32 requests_ = 0;
    u32 sector_writes_ = 0;
    u32 writes_ = 0;
    u32 flushes_ = 0;
    u32 discards_ = 0;
    u32 epochs_ = 0;
    Power power_ = Power::stays;
    std::function<void()> cut_;
    std::vector<Undo> undo_;
};

} // namespace gemel::sim
