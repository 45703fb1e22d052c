// Bringing a volume that was not unmounted cleanly back to its last committed transaction.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/ext4/disk.hpp"
#include "servers/ext4/replay_plan.hpp"

namespace gemel::ext4 {

struct Recovery {
    bool was_needed = false;
    u32 transactions = 0;
    u64 blocks = 0; // copied to their places
    u64 revoked = 0; // left out
};

// Replays the journal of the volume on `device` if the volume says so, before it is mounted for
// writing. A power cut at any moment of it does no harm: it is begun again, with the same result.
// A refusal is explained in `report` and has written nothing: see plan_replay and Journal::open;
// an error of the device may come after some blocks were copied.
Result<Recovery> recover(BlockDevice& device, ErrorSink& errors, MountReport& report);

// What a replay would do, for the volume that needs one.
Result<ReplayPlan> plan_recovery(
    BlockReader& device, ErrorSink& errors, Superblock const& super, MountReport& report);

} // namespace gemel::ext4
