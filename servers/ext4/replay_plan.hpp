// What the log says must be copied to where: the result of reading all of it, before anything is
// written.
#pragma once

#include "servers/ext4/journal.hpp"

#include <vector>

namespace gemel::ext4 {

struct ReplayPlan {
    struct Copy {
        u64 target; // a block of the volume
        u64 source; // the device block of its copy in the log
        u32 journal_block; // the same, counted in the journal
        bool escaped; // its first four bytes are the journal's magic
    };

    // By target; each target once, the last committed copy, revoked ones left out.
    std::vector<Copy> copies;
    u32 transactions = 0;
    u64 revoked = 0; // copies left out by revoke records
    bool incomplete = false; // a last transaction without its commit was dropped
    u32 next_sequence = 0; // for the journal's superblock once the copies are in place
};

// Reads the whole log. Refuses with nothing
// written, naming the journal block: Error::corrupt for damage inside what was committed and for
// copies that belong nowhere, Error::unsupported for fast commits.
Result<ReplayPlan> plan_replay(Journal const& journal, MountReport& report);

} // namespace gemel::ext4
