// The image that the system gets as its disk: the user's, checked, or the default disk, which is
// kept where the XDG base directory specification says.
#include "frontends/cli/options.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/process.hpp"

#include <cstdio>

namespace gemel::cli {

namespace {

// The disk used when none is given. Made, or made again when its content in the repository changed
// and nobody wrote to it, by scripts/default-disk.sh. Null after a message when that failed.
std::optional<std::string> default_disk()
{
    auto const disk = state_directory() + "/disk.img";
    if (run_program({ repository() + "/scripts/default-disk.sh", disk }) != 0)
        return std::nullopt;
    return disk;
}

} // namespace

std::optional<std::string> image_for(RunOptions& options)
{
    if (options.image.empty()) {
        auto const disk = default_disk();
        options.access = Access::read_write; // ours: no user's data is at stake
        return disk;
    }
    if (auto const refusal = refuse_image(options.image, options.access)) {
        std::fprintf(stderr, "gemel: %s\n", refusal->c_str());
        return std::nullopt;
    }
    return options.image;
}

} // namespace gemel::cli
