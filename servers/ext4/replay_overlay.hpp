// A device as it would be after the replay, without writing to it: copied blocks are read from the
// log. So a volume that was not unmounted cleanly can be read on a device that cannot be written.
#pragma once

#include "servers/ext4/block_reader.hpp"
#include "servers/ext4/replay_plan.hpp"

namespace gemel::ext4 {

class ReplayOverlay final : public BlockReader {
public:
    // Borrows `device`, which outlives it and is not written meanwhile.
    ReplayOverlay(BlockReader& device, u32 block_bytes, std::vector<ReplayPlan::Copy> copies)
        : device_(device)
        , block_bytes_(block_bytes)
        , copies_(std::move(copies))
    {
    }

    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    // Reads ahead only where no copied block lies.
    Result<void> read_contents(u64 byte_offset, std::span<u8> target, u64 ahead) override;
    u64 size_bytes() const override { return device_.size_bytes(); }

private:
    // Reads a piece that lies in one copied block.
    Result<void> read_copy(ReplayPlan::Copy const& copy, u64 skipped, std::span<u8> target);

    BlockReader& device_;
    u32 block_bytes_;
    std::vector<ReplayPlan::Copy> copies_; // by target
};

// Puts back the magic number that an escaped copy has zeros for; `skipped` bytes of the block lie
// before `piece`.
void unescape(ReplayPlan::Copy const& copy, u64 skipped, std::span<u8> piece);

} // namespace gemel::ext4
