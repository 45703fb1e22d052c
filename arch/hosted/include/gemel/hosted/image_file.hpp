// Bytes of an image file of the host, at a place.
#pragma once

#include "core/base/types.hpp"

namespace gemel::hosted {

enum class FileOutcome : u8 { done, failed };

// `descriptor` is open. Failed: an error of the host, or the file ended; some bytes may have moved.
FileOutcome read_at(int descriptor, u8* to, u32 bytes, u64 offset);
FileOutcome write_at(int descriptor, u8 const* from, u32 bytes, u64 offset);
// How long a file is; 0: it is none, or the host does not say.
u64 file_bytes(int descriptor);
// What was written is on the medium, as far as the host says.
FileOutcome flush_file(int descriptor);
// Gives the bytes back to the host: they read as zeros, and the file keeps its size. Where the
// host's file system has no holes, they stay what they are.
FileOutcome punch_at(int descriptor, u64 bytes, u64 offset);

} // namespace gemel::hosted
