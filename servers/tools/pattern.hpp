// grep's patterns: the everyday part of POSIX basic regular expressions. . [set] * ^ $ and \|
// between alternatives; a backslash takes the meaning from the character after it.
#pragma once

#include "core/base/types.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gemel::tools {

class Pattern {
public:
    enum class Case : u8 { matters, ignored };

    Pattern(std::string_view text, Case how);
    // Whether any part of the line fits.
    bool found_in(std::string_view line) const;

private:
    struct Element {
        std::string set; // the bytes that fit; empty: none
        bool inverted = false;
        bool repeated = false;
    };
    struct Alternative {
        std::vector<Element> elements;
        bool at_start = false;
        bool at_end = false;
    };

    static usize read_element(std::string_view text, Element& element);
    static Alternative read(std::string_view text);
    bool fits(Element const& element, char c) const;
    bool matches_at(Alternative const& alternative, std::string_view line, usize start) const;

    std::vector<Alternative> alternatives_;
    Case case_;
};

} // namespace gemel::tools
