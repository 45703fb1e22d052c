#include "servers/tools/pattern.hpp"

namespace gemel::tools {
namespace {

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

Pattern::Pattern(std::string_view text, Case how)
    : case_(how)
{
    for (usize i = 0; i + 1 < text.size();) {
        if (text[i] != '\\') {
            ++i;
        } else if (text[i + 1] == '|') {
            alternatives_.push_back(read(text.substr(0, i)));
            text.remove_prefix(i + 2);
            i = 0;
        } else {
            i += 2;
        }
    }
    alternatives_.push_back(read(text));
}

// The bytes of `text` that the element took, at least 1.
usize Pattern::read_element(std::string_view text, Element& element)
{
    if (text[0] == '.') {
        element.inverted = true;
        return 1;
    }
    auto const close
        = text.size() > 2 ? text.find(']', text[1] == '^' ? 3 : 2) : std::string_view::npos;
    if (text[0] != '[' || close == std::string_view::npos) {
        auto const escaped = text[0] == '\\' && text.size() > 1;
        element.set = text[escaped ? 1 : 0];
        return escaped ? 2 : 1;
    }
    auto set = text.substr(1, close - 1);
    element.inverted = set[0] == '^';
    set.remove_prefix(element.inverted ? 1 : 0);
    for (usize i = 0; i < set.size(); ++i) {
        if (i + 2 >= set.size() || set[i + 1] != '-') {
            element.set += set[i];
            continue;
        }
        for (unsigned c = static_cast<u8>(set[i]); c <= static_cast<u8>(set[i + 2]); ++c)
            element.set += static_cast<char>(c);
        i += 2;
    }
    return close + 1;
}

Pattern::Alternative Pattern::read(std::string_view text)
{
    auto result = Alternative {};
    if (text.starts_with('^')) {
        result.at_start = true;
        text.remove_prefix(1);
    }
    while (!text.empty()) {
        if (text == "$") {
            result.at_end = true;
            break;
        }
        auto element = Element {};
        text.remove_prefix(read_element(text, element));
        if (text.starts_with('*')) {
            element.repeated = true;
            text.remove_prefix(1);
        }
        result.elements.push_back(std::move(element));
    }
    return result;
}

bool Pattern::fits(Element const& element, char c) const
{
    auto found = element.set.find(c) != std::string::npos;
    if (case_ == Case::ignored)
        for (auto const member : element.set)
            found = found || lower(member) == lower(c);
    return found != element.inverted;
}

// All places that the elements so far can end at, side by side: time is line times pattern.
bool Pattern::matches_at(Alternative const& alternative, std::string_view line, usize start) const
{
    auto places = std::vector<bool>(line.size() + 1);
    places[start] = true;
    for (auto const& element : alternative.elements) {
        auto next = std::vector<bool>(line.size() + 1);
        for (auto at = start; at <= line.size(); ++at) {
            if (element.repeated && places[at])
                next[at] = true;
            if (at < line.size() && (element.repeated ? next[at] : places[at])
                && fits(element, line[at]))
                next[at + 1] = true;
        }
        places = std::move(next);
    }
    if (alternative.at_end)
        return places[line.size()];
    for (auto const place : places)
        if (place)
            return true;
    return false;
}

bool Pattern::found_in(std::string_view line) const
{
    for (auto const& alternative : alternatives_)
        for (usize start = 0; start <= (alternative.at_start ? 0 : line.size()); ++start) {
            if (!alternative.elements.empty() && !alternative.elements[0].repeated
                && (start >= line.size() || !fits(alternative.elements[0], line[start])))
                continue;
            if (matches_at(alternative, line, start))
                return true;
        }
    return false;
}

} // namespace gemel::tools
