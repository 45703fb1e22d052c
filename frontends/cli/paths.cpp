#include "frontends/cli/paths.hpp"

#include <cstdlib>
#include <filesystem>

namespace gemel::cli {

std::string repository()
{
    if (auto const* top = ::getenv("GEMEL_ROOT"); top != nullptr && *top != '\0')
        return top;
    // <top>/build/<preset>/frontends/cli/gemel
    auto path = std::filesystem::read_symlink("/proc/self/exe");
    for (int level = 0; level < 5; ++level)
        path = path.parent_path();
    return path.string();
}

} // namespace gemel::cli
