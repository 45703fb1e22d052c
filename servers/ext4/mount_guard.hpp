// Multiple mount protection (feature mmp; ext4 documentation, "Multiple Mount Protection"): who
// writes a volume on a disk that several hosts reach shows in one block, every few seconds, that it
// is alive. Who wants to write it looks there first, waits, and looks again.
//
// The guard stands between the volume and its device: signs of life are given on the way, and once
// another host has taken the volume nothing is written any more.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/ext4/mount_report.hpp"
#include "servers/ext4/superblock.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace gemel::ext4 {

// What a guard needs of the machine.
struct GuardClock {
    std::function<i64()> now_ns; // since 1970
    std::function<void(i64)> wait_ns; // returns when that much time has passed
};

class MountGuard final : public BlockDevice {
public:
    // Null when the volume has no such protection, or is none. Takes from 11 seconds on.
    // Error::busy, explained in `report`, when another host has it; Error::corrupt for a damaged
    // block, Error::unsupported when nobody can wait here; nothing was written then.
    static Result<std::unique_ptr<MountGuard>> claim(
        BlockDevice& device, GuardClock clock, MountReport& report);

    // When the next sign of life is due; nothing when none is any more.
    std::optional<i64> due_ns() const;
    // Gives one if it is due. Error::busy: another host has taken the volume.
    Result<void> attend();
    // The volume is free for everybody. Nothing is written from now on.
    Result<void> release();

    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    Result<void> read_contents(u64 byte_offset, std::span<u8> target, u64 ahead) override;
    Result<void> read_fresh(u64 byte_offset, std::span<u8> target) override;
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> write_contents(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> discard(u64 byte_offset, u64 bytes) override;
    void abandon_writes() override { device_.abandon_writes(); }
    Result<void> flush() override;
    u64 size_bytes() const override { return device_.size_bytes(); }

private:
    MountGuard(BlockDevice& device, Superblock const& super, GuardClock clock);

    Result<void> look(MountReport& report);
    Result<void> check_block(MountReport& report) const;
    Result<void> check_unchanged(std::vector<u8> const& before, MountReport& report);
    Result<void> wait_unchanged(MountReport& report);
    Result<void> take(MountReport& report);
    Result<void> load();
    // Before a write: the volume is ours.
    Result<void> attend_to_write();
    Result<void> show(u32 sequence);
    i64 interval_ns() const;
    i64 patience_ns() const;

    enum class State : u8 { held, lost, released };

    BlockDevice& device_;
    GuardClock clock_;
    u64 place_; // of the block, in bytes
    std::optional<u32> checksum_seed_;
    u32 interval_; // seconds between two signs
    u32 check_interval_; // seconds in which another host gives a sign
    std::vector<u8> bytes_; // as last read or written
    i64 last_ns_ = 0; // when
    State state_ = State::held;
};

} // namespace gemel::ext4
