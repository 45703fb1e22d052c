// From a word as written to the texts it stands for: variables, $(...), $((...)), splitting at
// blanks, file name patterns.
#pragma once

#include "servers/gsh/glob.hpp"
#include "servers/gsh/syntax.hpp"
#include "servers/gsh/variables.hpp"

#include <expected>
#include <functional>

namespace gemel::gsh {

struct ExpandError {
    Position where;
    std::string what;
};

template <typename T>
class Expanded : public std::expected<T, ExpandError> {
public:
    using std::expected<T, ExpandError>::expected;
    Expanded(ExpandError error)
        : std::expected<T, ExpandError>(std::unexpect, std::move(error))
    {
    }
};

class Expander {
public:
    // What a script writes, or why there is nothing.
    using Substitute = std::function<std::expected<std::string, std::string>(Script const&)>;

    Expander(World& world, Variables const& variables, std::string directory, Substitute substitute)
        : world_(world)
        , variables_(variables)
        , directory_(std::move(directory))
        , substitute_(std::move(substitute))
    {
    }

    // Any number of texts, none included.
    Expanded<std::vector<std::string>> fields(std::vector<Word> const& words);
    // Exactly one text: the value of an assignment. Neither split nor matched.
    Expanded<std::string> text(Word const& word);
    // Exactly one file name: the target of a redirection.
    Expanded<std::string> file_name(Word const& word);

private:
    Expanded<std::string> value_of(Word const& word, WordPart const& part);
    Expanded<std::vector<std::string>> patterns(Word const& word);
    Expanded<void> add_fields(Word const& word, std::vector<std::string>& result);

    World& world_;
    Variables const& variables_;
    std::string directory_;
    Substitute substitute_;
};

} // namespace gemel::gsh
