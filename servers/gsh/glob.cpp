#include "servers/gsh/glob.hpp"

#include "servers/fskit/name_pattern.hpp"
#include "servers/gsh/path.hpp"

#include <algorithm>

namespace gemel::gsh {
namespace {

struct Search {
    World& world;
    std::vector<std::string> found;
};

// `prefix` is as the user wrote it; `directory` is where it leads.
Result<void> descend(Search& search, std::string const& prefix, std::string const& directory,
    std::string_view pattern)
{
    auto const slash = pattern.find('/');
    auto const element = pattern.substr(0, slash);
    auto const last = slash == std::string_view::npos;
    auto const entries = search.world.list(directory);
    if (!entries)
        return {};
    for (auto const& entry : *entries) {
        if (!matches(element, entry.name))
            continue;
        if (search.found.size() >= glob_names_max)
            return Error::too_big;
        auto const path = join_path(directory, entry.name);
        if (last) {
            search.found.push_back(prefix + entry.name);
            continue;
        }
        auto const status = search.world.status(path);
        if (!status || status->kind != FileKind::directory)
            continue;
        auto rest = pattern.substr(slash);
        rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
        if (rest.empty())
            search.found.push_back(prefix + entry.name + "/");
        else
            TRY(descend(search, prefix + entry.name + "/", path, rest));
    }
    return {};
}

} // namespace

bool matches(std::string_view pattern, std::string_view name)
{
    if (name.starts_with('.') && !pattern.starts_with('.') && !pattern.starts_with("\\."))
        return false;
    return fskit::name_matches(pattern, name);
}

Result<std::vector<std::string>> glob(
    World& world, std::string const& directory, std::string_view pattern)
{
    // What stands before the first wildcard's element is taken as it is.
    usize fixed = 0;
    for (usize i = pattern.find('/'); i != std::string_view::npos; i = pattern.find('/', i + 1)) {
        if (fskit::has_wildcard(pattern.substr(0, i)))
            break;
        fixed = i + 1;
    }
    auto const prefix = fskit::unescape_pattern(pattern.substr(0, fixed));
    auto search = Search { world, {} };
    TRY(descend(search, prefix, absolute_path(directory, prefix), pattern.substr(fixed)));
    std::ranges::sort(search.found);
    return std::move(search.found);
}

} // namespace gemel::gsh
