#include "frontends/cli/paths.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace gemel::cli {

namespace {

// This program is <repository>/build/<preset>/frontends/cli/gemel.
std::string folder_above_program(int levels)
{
    auto path = std::filesystem::read_symlink("/proc/self/exe");
    for (int level = 0; level < levels; ++level)
        path = path.parent_path();
    return path.string();
}

} // namespace

std::string repository()
{
    if (auto const* top = ::getenv("GEMEL_ROOT"); top != nullptr && *top != '\0')
        return top;
    return folder_above_program(5);
}

std::string build_tree()
{
    return folder_above_program(3);
}

std::string state_directory()
{
    if (auto const* data = ::getenv("XDG_DATA_HOME"); data != nullptr && *data == '/')
        return std::string { data } + "/gemel";
    auto const* home = ::getenv("HOME");
    return std::string { home != nullptr ? home : "/tmp" } + "/.local/share/gemel";
}

std::vector<std::uint8_t> boot_bundle()
{
    std::ifstream file { build_tree() + "/bundle.cpio", std::ios::binary };
    return { std::istreambuf_iterator<char> { file }, {} };
}

} // namespace gemel::cli
