#include "frontends/cli/paths.hpp"

#include "frontends/cli/process.hpp"

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

namespace {

std::string state_directory()
{
    if (auto const* data = ::getenv("XDG_DATA_HOME"); data != nullptr && *data == '/')
        return std::string { data } + "/gemel";
    auto const* home = ::getenv("HOME");
    return std::string { home != nullptr ? home : "/tmp" } + "/.local/share/gemel";
}

} // namespace

std::optional<std::string> default_disk()
{
    auto const disk = state_directory() + "/disk.img";
    if (run_program({ repository() + "/scripts/default-disk.sh", disk }) != 0)
        return std::nullopt;
    return disk;
}

} // namespace gemel::cli
