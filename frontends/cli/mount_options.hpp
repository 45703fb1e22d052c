// The words of `gemel mount -o`: ours, and those that go on to the host's mount.
#pragma once

#include "frontends/cli/image_check.hpp"

#include <string>
#include <vector>

namespace gemel::cli {

// Who keeps small writes until they make a large one.
enum class WriteBuffering { none, by_the_host };

// What becomes of a mount for writing where that cannot be.
enum class Otherwise { read_only, refused };

// Whose permissions the host's kernel looks at.
enum class Permissions { nobodys, everybodys };

struct MountWords {
    Access access = Access::read_write;
    Otherwise otherwise = Otherwise::read_only;
    WriteBuffering buffering = WriteBuffering::none;
    bool nonempty = false;
    std::optional<std::uint64_t> offset; // in the image, bytes
    std::vector<std::string> passed; // to the host, as they are
    std::string refusal; // empty, or what is wrong with the words
};

MountWords read_mount_words(std::vector<std::string> const& words);

// Root's own mount stops nobody.
Permissions checked_permissions(MountWords const& words);

// libfuse's command line, for a mount whose source shows as `image`.
std::vector<std::string> fuse_words(MountWords const& words, std::string const& image);

bool directory_is_empty(std::string const& directory);

} // namespace gemel::cli
