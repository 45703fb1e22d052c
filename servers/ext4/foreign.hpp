// Names what an image is when it is not an ext2, ext3 or ext4 volume.
#pragma once

#include "servers/ext4/block_reader.hpp"

#include <string_view>

namespace gemel::ext4 {

// "xfs", "a partitioned disk (GPT)", ...; empty when nothing is recognised. Errors are the
// device's.
Result<std::string_view> recognise_foreign(BlockReader& device);

} // namespace gemel::ext4
