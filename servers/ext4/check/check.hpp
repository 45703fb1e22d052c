// Checks a whole volume: every structure, and that they agree with each other.
#pragma once

#include "servers/ext4/block_reader.hpp"
#include "servers/ext4/error_sink.hpp"
#include "servers/ext4/mount_report.hpp"

namespace gemel::ext4 {

struct CheckSummary {
    u64 problems = 0; // sentences told to the sink
    u32 inodes_used = 0;
    u32 directories = 0;
    u64 blocks_used = 0;
    u32 orphans = 0; // deleted files that wait to be freed: no problem
};

// Tells `problems` each thing that is wrong. `device` must be constant meanwhile; a volume whose
// journal is to be replayed is checked as its replay would leave it. Errors: what cannot be checked
// at all is explained in `report` (Error::unsupported, Error::corrupt for a superblock or a journal
// that makes no sense), the device's errors pass through.
Result<CheckSummary> check_volume(BlockReader& device, ErrorSink& problems, MountReport& report);

} // namespace gemel::ext4
