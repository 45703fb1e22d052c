#include "servers/gsh/glob.hpp"

#include "servers/gsh/path.hpp"

#include <algorithm>
#include <optional>

namespace gemel::gsh {
namespace {

constexpr std::string_view special = "*?[\\";

// Bytes of the UTF-8 character that starts at `text`.
usize character_bytes(std::string_view text)
{
    usize length = 1;
    while (length < text.size() && (static_cast<u8>(text[length]) & 0xC0) == 0x80)
        ++length;
    return length;
}

struct SetMatch {
    bool inside;
    usize pattern_bytes;
};

// [abc], [a-z], [!abc]; nothing when there is no closing bracket.
std::optional<SetMatch> match_set(std::string_view pattern, char c)
{
    usize i = 1;
    auto const inverted = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
    i += inverted ? 1 : 0;
    auto found = false;
    for (auto first = i; i < pattern.size(); ++i) {
        if (pattern[i] == ']' && i != first)
            return SetMatch { found != inverted, i + 1 };
        if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
            found = found || (pattern[i] <= c && c <= pattern[i + 2]);
            i += 2;
        } else {
            found = found || pattern[i] == c;
        }
    }
    return std::nullopt;
}

// Bytes of pattern and of name that one non-star element takes; nothing when it does not fit.
std::optional<std::pair<usize, usize>> match_one(std::string_view pattern, std::string_view name)
{
    if (pattern.empty() || name.empty())
        return std::nullopt;
    if (pattern[0] == '?')
        return std::pair { usize { 1 }, character_bytes(name) };
    if (pattern[0] == '[')
        if (auto const set = match_set(pattern, name[0]))
            return set->inside ? std::optional(std::pair { set->pattern_bytes, usize { 1 } })
                               : std::nullopt;
    usize const escape = pattern[0] == '\\' && pattern.size() > 1 ? 1 : 0;
    if (pattern[escape] != name[0])
        return std::nullopt;
    return std::pair { escape + 1, usize { 1 } };
}

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

std::string escape_pattern(std::string_view text)
{
    auto result = std::string {};
    for (auto const c : text) {
        if (special.find(c) != std::string_view::npos)
            result += '\\';
        result += c;
    }
    return result;
}

std::string unescape_pattern(std::string_view pattern)
{
    auto result = std::string {};
    for (usize i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\' && i + 1 < pattern.size())
            ++i;
        result += pattern[i];
    }
    return result;
}

bool has_wildcard(std::string_view pattern)
{
    for (usize i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\')
            ++i;
        else if (special.find(pattern[i]) != std::string_view::npos)
            return true;
    }
    return false;
}

// One star is remembered and stretched on failure: time is at most pattern times name.
bool matches(std::string_view pattern, std::string_view name)
{
    if (name.starts_with('.') && !pattern.starts_with('.') && !pattern.starts_with("\\."))
        return false;
    usize p = 0;
    usize n = 0;
    auto star = std::string_view::npos;
    usize star_name = 0;
    while (n < name.size() || p < pattern.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_name = n;
            continue;
        }
        if (auto const one = match_one(pattern.substr(p), name.substr(n))) {
            p += one->first;
            n += one->second;
            continue;
        }
        if (star == std::string_view::npos || star_name >= name.size())
            return false;
        p = star + 1;
        n = ++star_name;
    }
    return true;
}

Result<std::vector<std::string>> glob(
    World& world, std::string const& directory, std::string_view pattern)
{
    // What stands before the first wildcard's element is taken as it is.
    usize fixed = 0;
    for (usize i = pattern.find('/'); i != std::string_view::npos; i = pattern.find('/', i + 1)) {
        if (has_wildcard(pattern.substr(0, i)))
            break;
        fixed = i + 1;
    }
    auto const prefix = unescape_pattern(pattern.substr(0, fixed));
    auto search = Search { world, {} };
    TRY(descend(search, prefix, absolute_path(directory, prefix), pattern.substr(fixed)));
    std::ranges::sort(search.found);
    return std::move(search.found);
}

} // namespace gemel::gsh
