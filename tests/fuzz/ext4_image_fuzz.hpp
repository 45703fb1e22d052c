// What a round does to one image.
#pragma once

#include "servers/ext4/bytes.hpp"

#include <vector>

namespace gemel::ext4 {

// Mounts it, makes changes of every kind and unmounts it. Empty when it does not mount for writing.
std::vector<u8> written_image(Bytes image);

} // namespace gemel::ext4

extern "C" int LLVMFuzzerTestOneInput(gemel::u8 const* data, gemel::usize size);
