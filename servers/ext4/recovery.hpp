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

// What is to be replayed before a volume can be used, and its superblock as it will be then.
struct Opening {
    Superblock super;
    bool needs_replay = false;
    ReplayPlan plan;
};

// The first look at a volume; writes nothing. A superblock that was torn while it was written is no
// obstacle if the journal holds it. Refusals as by `recover`.
Result<Opening> open_volume(BlockReader& device, ErrorSink& errors, MountReport& report);

} // namespace gemel::ext4
