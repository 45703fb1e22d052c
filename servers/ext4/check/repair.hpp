// Repairs what a check can put right without a guess. Where one problem needs a guess nothing is
// changed: what counts as in use would be one too.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/ext4/check/check.hpp"
#include "servers/ext4/volume_writer.hpp"

namespace gemel::ext4 {

struct Repair {
    Examination before; // what was wrong, once the journal was replayed
    Examination after; // what is left; the same as `before` where nothing was changed
    u32 orphans = 0; // deleted files that were freed
    bool changed = false; // the volume is another one now
};

// Replays the journal if that is due, repairs, and leaves the volume marked as clean if it is. A
// power cut on the way leaves a volume that another repair goes on with. Errors as from
// check_volume, `recover` and MountGuard::claim; a refusal is explained in `report`.
Result<Repair> repair_volume(BlockDevice& device, MountReport& report, WriteOptions const& options);

} // namespace gemel::ext4
