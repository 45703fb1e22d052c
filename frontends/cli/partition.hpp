// Where on a disk image a partition lies: a GUID partition table (UEFI specification, 5.3) or a
// master boot record with its logical partitions. Sectors have 512 bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gemel::cli {

// The part of a file that is the disk.
struct ImageWindow {
    std::uint64_t offset = 0;
    std::optional<std::uint64_t> bytes; // none: to the file's end
};

struct FoundPartition {
    ImageWindow window;
    std::string refusal; // empty, or why there is none
};

// Partition `number`, from 1; with a master boot record 5 and on are the logical ones. `image` is
// an open descriptor of a file of `image_bytes`.
FoundPartition find_partition(int image, std::uint64_t image_bytes, unsigned number);

} // namespace gemel::cli
