#include "frontends/cli/host_mount.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

namespace gemel::cli {

namespace {

// Blanks and backslashes are written as octal.
std::string plain(std::string const& text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && at + 3 < text.size()) {
            out += static_cast<char>(std::strtol(text.substr(at + 1, 3).c_str(), nullptr, 8));
            at += 3;
        } else {
            out += text[at];
        }
    }
    return out;
}

uid_t user_in(std::string const& options)
{
    constexpr std::string_view mark = "user_id=";
    auto const at = options.find(mark);
    return at == std::string::npos
        ? 0
        : static_cast<uid_t>(std::strtoul(options.c_str() + at + mark.size(), nullptr, 10));
}

} // namespace

std::optional<HostMount> mount_at(std::string const& directory)
{
    std::optional<HostMount> found;
    std::ifstream mounts { "/proc/self/mountinfo" };
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words { line };
        HostMount mount;
        std::string number, parent, root, place, options, word;
        words >> number >> parent >> mount.device >> root >> place >> options;
        while (words >> word && word != "-") { }
        std::string source, all_options;
        words >> mount.type >> source >> all_options;
        if (plain(place) != directory)
            continue;
        mount.access = options.starts_with("rw") ? Access::read_write : Access::read_only;
        mount.source = plain(source);
        mount.user = user_in(all_options);
        found = mount;
    }
    return found;
}

} // namespace gemel::cli
