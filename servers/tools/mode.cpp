#include "servers/tools/mode.hpp"

#include <algorithm>
#include <charconv>

namespace gemel::tools {
namespace {

constexpr u16 all_bits = 07777;
constexpr u16 executable = 0111;

std::optional<u16> octal(std::string_view text)
{
    u16 value = 0;
    auto const* end = text.data() + text.size();
    auto const [stopped, status] = std::from_chars(text.data(), end, value, 8);
    if (status != std::errc {} || stopped != end || value > all_bits)
        return std::nullopt;
    return value;
}

// The bits of one class of users, with those beside them that only it has.
std::optional<u16> who(char letter)
{
    switch (letter) {
    case 'u':
        return 04700;
    case 'g':
        return 02070;
    case 'o':
        return 01007;
    case 'a':
        return all_bits;
    default:
        return std::nullopt;
    }
}

std::optional<u16> permission(char letter, u16 old, ModeOf what)
{
    switch (letter) {
    case 'r':
        return 0444;
    case 'w':
        return 0222;
    case 'x':
        return executable;
    case 'X':
        return what == ModeOf::directory || (old & executable) != 0 ? executable : 0;
    case 's':
        return 06000;
    case 't':
        return 01000;
    default:
        return std::nullopt;
    }
}

// Takes one clause: [ugoa]*([+-=][rwxXst]*)+
std::optional<u16> clause(std::string_view text, u16 mode, ModeOf what)
{
    usize i = 0;
    u16 users = 0;
    for (; i < text.size(); ++i) {
        auto const bits = who(text[i]);
        if (!bits)
            break;
        users |= *bits;
    }
    if (i == 0)
        users = all_bits;
    if (i == text.size())
        return std::nullopt;
    while (i < text.size()) {
        auto const action = text[i++];
        if (action != '+' && action != '-' && action != '=')
            return std::nullopt;
        u16 bits = 0;
        for (; i < text.size(); ++i) {
            auto const more = permission(text[i], mode, what);
            if (!more)
                break;
            bits |= *more;
        }
        bits &= users;
        auto const kept
            = static_cast<u16>(action == '+' ? mode : mode & ~(action == '=' ? users : bits));
        mode = action == '-' ? kept : static_cast<u16>(kept | bits);
    }
    return mode;
}

} // namespace

std::optional<u16> changed_mode(std::string_view text, u16 old, ModeOf what)
{
    if (auto const mode = octal(text))
        return mode;
    std::optional<u16> mode = old;
    for (usize begin = 0; mode && begin <= text.size();) {
        auto const comma = std::min(text.find(',', begin), text.size());
        mode = clause(text.substr(begin, comma - begin), *mode, what);
        begin = comma + 1;
    }
    return mode;
}

} // namespace gemel::tools
