// From a path to an inode, as the Directory protocol asks: symbolic links are reported, not
// followed.
#pragma once

#include "servers/ext4/volume.hpp"
#include "servers/protocols/directory.hpp"

#include <variant>

namespace gemel::ext4 {

// The path's component `component` (0: the first) is a symbolic link to be followed.
struct LinkMet {
    u32 component;
    std::string text;
};

using Resolved = std::variant<Inode, LinkMet>;

// `path` is relative to the volume's root; empty is the root. Error::name_too_long over
// Volume::path_bytes_max, else as Volume::walk.
Result<Resolved> resolve(Volume& volume, std::string_view path, LastLink last);

} // namespace gemel::ext4
