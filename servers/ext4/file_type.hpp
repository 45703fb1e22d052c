// What kind a file is, and what a name in a directory stands for.
#pragma once

#include "core/base/types.hpp"

namespace gemel::ext4 {

enum class FileType : u8 {
    unknown,
    regular,
    directory,
    character_device,
    block_device,
    fifo,
    socket,
    symbolic_link,
};

struct Found {
    u32 inode;
    FileType type; // unknown when the volume does not keep types in directories
};

} // namespace gemel::ext4
