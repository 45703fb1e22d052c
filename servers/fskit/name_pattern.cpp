#include "servers/fskit/name_pattern.hpp"

#include "core/base/types.hpp"

#include <optional>
#include <utility>

namespace gemel::fskit {
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
bool name_matches(std::string_view pattern, std::string_view name)
{
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

} // namespace gemel::fskit
