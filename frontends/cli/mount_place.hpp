// The host's side of a mount, for `gemel mount` and `gemel run --fuse`: where, and libfuse's
// session.
#pragma once

#include "frontends/cli/mount_options.hpp"
#include "frontends/fuse/gate_device.hpp"

namespace gemel::cli {

// Null, or what a person got wrong about the place. The rest is libfuse's to say.
std::optional<std::string> refuse_place(std::string const& directory, MountWords const& words);

// Without links and relative parts, as the host's list of mounts has it.
std::string real_directory(std::string const& directory);

// False: libfuse said why.
bool open_fuse_session(fuse::GateDevice& gate, MountWords const& words, std::string const& image);

} // namespace gemel::cli
