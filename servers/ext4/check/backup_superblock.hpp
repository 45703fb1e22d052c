// A superblock that is damaged, and its copies at the start of other groups.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "servers/ext4/superblock.hpp"

#include <optional>

namespace gemel::ext4 {

// Puts a sound copy in the place of a superblock that contradicts itself or is not there; gives the
// copy's block, or nothing when it was not needed. What another file system stands in, and what its
// journal will mend, stays. The copy's counts are old: a check has to follow. Error::corrupt when
// no copy is sound (`report` says so), else the device's.
Result<std::optional<u64>> restore_superblock(BlockDevice& device, MountReport& report);

} // namespace gemel::ext4
