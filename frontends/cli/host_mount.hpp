// What the host's list of mounts says (proc(5), mountinfo).
#pragma once

#include "frontends/cli/image_check.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace gemel::cli {

struct HostMount {
    std::string device; // its number, "0:42": no other mount has it meanwhile
    Access access = Access::read_only;
    std::string type;
    std::string source;
    uid_t user = 0; // who mounted, where it is a FUSE mount
};

// The uppermost mount at `directory`, which has no links and relative parts.
std::optional<HostMount> mount_at(std::string const& directory);

} // namespace gemel::cli
