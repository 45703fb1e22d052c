// Cuts a script into words and operators, with the position of each.
#pragma once

#include "servers/gsh/syntax.hpp"

#include <expected>
#include <string_view>

namespace gemel::gsh {

// How deep commands, substitutions and sourced files may nest: the stack of a program is small.
inline constexpr u32 nesting_max = 24;

struct Token {
    enum class Kind : u8 {
        end,
        newline,
        semicolon,
        and_if,
        or_if,
        pipe,
        redirection, // `redirection` without its target, unless it is same_as
        word,
    };

    Kind kind = Kind::end;
    Position where;
    Word word;
    Redirection redirection;
};

// What was parsed, or why not. TRY works on it.
template <typename T>
class Parsed : public std::expected<T, SyntaxError> {
public:
    using std::expected<T, SyntaxError>::expected;
    Parsed(SyntaxError error)
        : std::expected<T, SyntaxError>(std::unexpect, std::move(error))
    {
    }
};

class Lexer {
public:
    // `depth`: how many scripts this one is nested in.
    Lexer(std::string_view source, u32 depth, Position start = {})
        : source_(source)
        , where_(start)
        , depth_(depth)
    {
    }

    Parsed<Token> next();
    // The bytes not read yet; for `$(`, which ends where its own parser stops.
    usize offset() const { return offset_; }
    Position where() const { return where_; }

private:
    char peek(usize ahead = 0) const
    {
        return offset_ + ahead < source_.size() ? source_[offset_ + ahead] : '\0';
    }
    bool at_end() const { return offset_ >= source_.size(); }
    void advance(usize count = 1);
    void skip_blanks();
    Parsed<Token> symbol();
    Parsed<Token> redirection(u8 descriptor);
    Parsed<Token> word();
    Parsed<void> word_piece(Word& word);
    Parsed<void> single_quoted(Word& word);
    Parsed<void> double_quoted(Word& word);
    Parsed<void> dollar(Word& word, WordPart::Quoting quoting);
    Parsed<void> braced_variable(Word& word, WordPart::Quoting quoting);
    Parsed<void> arithmetic(Word& word, WordPart::Quoting quoting);
    Parsed<void> substitution(Word& word, WordPart::Quoting quoting);
    static SyntaxError error(Position where, std::string what);
    static SyntaxError incomplete(Position where, std::string what);

    std::string_view source_;
    usize offset_ = 0;
    Position where_;
    u32 depth_;
};

bool is_name(std::string_view text);

} // namespace gemel::gsh
