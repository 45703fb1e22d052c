// What can be told of a disk image before the system starts: the mistakes a person makes at the
// command line. What is inside the file system is judged by the ext4 server.
#pragma once

#include "frontends/cli/partition.hpp"

#include <optional>
#include <string>

namespace gemel::cli {

enum class Access { read_only, read_write };

// Whether what is in the file matters: not to a repair, which may find a copy of what is damaged.
enum class Content { judged, ignored };

// Null if the file may be given to the system as its disk; otherwise the whole message for the
// user: what is wrong with which file, and what to do.
std::optional<std::string> refuse_image(std::string const& path, Access access,
    ImageWindow window = {}, Content content = Content::judged);

} // namespace gemel::cli
