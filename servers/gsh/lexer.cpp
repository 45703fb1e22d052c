#include "servers/gsh/lexer.hpp"

#include "servers/gsh/parser.hpp"

#include "core/base/result.hpp"

#include <cstring>

namespace gemel::gsh {
namespace {

bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ends_word(char c)
{
    return c == '\0' || std::strchr(" \t\r\n;&|<>()", c) != nullptr;
}

void append(Word& word, WordPart::Quoting quoting, char c)
{
    auto& parts = word.parts;
    if (parts.empty() || parts.back().kind != WordPart::Kind::text
        || parts.back().quoting != quoting)
        parts.push_back({ WordPart::Kind::text, quoting, {}, nullptr });
    parts.back().text += c;
}

} // namespace

bool is_name(std::string_view text)
{
    if (text.empty() || !is_name_start(text[0]))
        return false;
    for (auto const c : text)
        if (!is_name_start(c) && !is_digit(c))
            return false;
    return true;
}

SyntaxError Lexer::error(Position where, std::string what)
{
    return { SyntaxError::Kind::wrong, where, std::move(what) };
}

SyntaxError Lexer::incomplete(Position where, std::string what)
{
    return { SyntaxError::Kind::incomplete, where, std::move(what) };
}

void Lexer::advance(usize count)
{
    for (; count > 0 && !at_end(); --count) {
        if (source_[offset_++] == '\n') {
            ++where_.line;
            where_.column = 1;
        } else {
            ++where_.column;
        }
    }
}

void Lexer::skip_blanks()
{
    for (;;) {
        if (peek() == ' ' || peek() == '\t' || peek() == '\r')
            advance();
        else if (peek() == '\\' && peek(1) == '\n')
            advance(2);
        else
            break;
    }
    if (peek() == '#')
        while (!at_end() && peek() != '\n')
            advance();
}

Parsed<Token> Lexer::next()
{
    skip_blanks();
    if (at_end())
        return Token { Token::Kind::end, where_, {}, {} };
    if (peek() == '\0')
        return error(where_, "a zero byte: this is not a script");
    if (is_digit(peek()) && (peek(1) == '>' || peek(1) == '<')) {
        auto const descriptor = static_cast<u8>(peek() - '0');
        if (descriptor > 2)
            return error(where_, "only descriptors 0, 1 and 2 are offered");
        advance();
        return redirection(descriptor);
    }
    if (std::strchr("\n;&|<>()", peek()))
        return symbol();
    return word();
}

Parsed<Token> Lexer::symbol()
{
    auto const where = where_;
    auto const c = peek();
    auto const twice = peek(1) == c;
    auto const token = [&](Token::Kind kind, usize length) {
        advance(length);
        return Token { kind, where, {}, {} };
    };
    switch (c) {
    case '\n':
        return token(Token::Kind::newline, 1);
    case ';':
        if (twice)
            return error(where, "`case` is not offered");
        return token(Token::Kind::semicolon, 1);
    case '&':
        if (twice)
            return token(Token::Kind::and_if, 2);
        return error(where, "background commands (&) are not offered");
    case '|':
        return twice ? token(Token::Kind::or_if, 2) : token(Token::Kind::pipe, 1);
    case '<':
        return redirection(0);
    case '>':
        return redirection(1);
    case ')':
        return error(where, "`)` without a `(` before it");
    }
    return error(where, "subshells and functions are not offered; use { ...; }");
}

Parsed<Token> Lexer::redirection(u8 descriptor)
{
    auto token = Token { Token::Kind::redirection, where_, {}, {} };
    token.redirection.descriptor = descriptor;
    if (peek() == '<') {
        if (peek(1) == '<')
            return error(where_, "here-documents (<<) are not offered");
        advance();
        return token;
    }
    token.redirection.kind = Redirection::Kind::output;
    advance();
    if (peek() == '>') {
        token.redirection.kind = Redirection::Kind::append;
        advance();
    } else if (peek() == '&') {
        if (peek(1) != '1' && peek(1) != '2')
            return error(where_, "after >& comes 1 or 2");
        token.redirection.kind = Redirection::Kind::same_as;
        token.redirection.other = static_cast<u8>(peek(1) - '0');
        advance(2);
    }
    return token;
}

Parsed<Token> Lexer::word()
{
    auto token = Token { Token::Kind::word, where_, { where_, {} }, {} };
    while (!ends_word(peek())) {
        TRY(word_piece(token.word));
    }
    return token;
}

Parsed<void> Lexer::word_piece(Word& word)
{
    switch (peek()) {
    case '\'':
        return single_quoted(word);
    case '"':
        return double_quoted(word);
    case '$':
        return dollar(word, WordPart::Quoting::none);
    case '`':
        return error(where_, "write $(...) in place of back quotes");
    case '\\':
        if (offset_ + 1 >= source_.size())
            return incomplete(where_, "a `\\` at the end of the input");
        if (peek(1) != '\n')
            append(word, WordPart::Quoting::quoted, peek(1));
        advance(2);
        return {};
    }
    append(word, WordPart::Quoting::none, peek());
    advance();
    return {};
}

Parsed<void> Lexer::single_quoted(Word& word)
{
    auto const start = where_;
    word.parts.push_back({ WordPart::Kind::text, WordPart::Quoting::quoted, {}, nullptr });
    advance();
    while (!at_end() && peek() != '\'') {
        word.parts.back().text += peek();
        advance();
    }
    if (at_end())
        return incomplete(start, "no closing ' for this one");
    advance();
    return {};
}

Parsed<void> Lexer::double_quoted(Word& word)
{
    auto const start = where_;
    // "" is a word of its own, although it is empty.
    word.parts.push_back({ WordPart::Kind::text, WordPart::Quoting::quoted, {}, nullptr });
    advance();
    while (!at_end() && peek() != '"') {
        if (peek() == '$') {
            TRY(dollar(word, WordPart::Quoting::quoted));
            continue;
        }
        if (peek() == '\\' && peek(1) != '\0' && std::strchr("$`\"\\\n", peek(1))) {
            advance();
            if (peek() != '\n')
                append(word, WordPart::Quoting::quoted, peek());
        } else {
            append(word, WordPart::Quoting::quoted, peek());
        }
        advance();
    }
    if (at_end())
        return incomplete(start, "no closing \" for this one");
    advance();
    return {};
}

Parsed<void> Lexer::dollar(Word& word, WordPart::Quoting quoting)
{
    auto const variable = [&](usize length) {
        word.parts.push_back({ WordPart::Kind::variable, quoting,
            std::string(source_.substr(offset_, length)), nullptr });
        advance(length);
    };
    if (peek(1) == '{')
        return braced_variable(word, quoting);
    if (peek(1) == '(')
        return peek(2) == '(' ? arithmetic(word, quoting) : substitution(word, quoting);
    advance();
    if (is_name_start(peek())) {
        usize length = 1;
        while (is_name_start(peek(length)) || is_digit(peek(length)))
            ++length;
        variable(length);
    } else if (peek() != '\0' && (is_digit(peek()) || std::strchr("?#@*$", peek()))) {
        variable(1);
    } else {
        append(word, quoting, '$');
    }
    return {};
}

Parsed<void> Lexer::braced_variable(Word& word, WordPart::Quoting quoting)
{
    auto const start = where_;
    auto const close = source_.find('}', offset_);
    if (close == std::string_view::npos)
        return incomplete(start, "no closing } for this ${");
    auto const name = source_.substr(offset_ + 2, close - offset_ - 2);
    auto const special = name.size() == 1 && (is_digit(name[0]) || std::strchr("?#@*$", name[0]));
    if (!is_name(name) && !special)
        return error(start, "only ${NAME} is offered");
    word.parts.push_back({ WordPart::Kind::variable, quoting, std::string(name), nullptr });
    advance(close + 1 - offset_);
    return {};
}

Parsed<void> Lexer::arithmetic(Word& word, WordPart::Quoting quoting)
{
    auto const start = where_;
    advance(3);
    auto text = std::string {};
    for (u32 open = 0; !at_end(); advance()) {
        if (peek() == ')' && open == 0)
            break;
        open += peek() == '(' ? 1 : 0;
        open -= peek() == ')' ? 1 : 0;
        text += peek();
    }
    if (at_end())
        return incomplete(start, "no closing )) for this $((");
    if (peek(1) != ')')
        return error(where_, "expected )) here");
    advance(2);
    word.parts.push_back({ WordPart::Kind::arithmetic, quoting, std::move(text), nullptr });
    return {};
}

Parsed<void> Lexer::substitution(Word& word, WordPart::Quoting quoting)
{
    auto const start = where_;
    if (depth_ + 1 >= nesting_max)
        return error(start, "commands are nested too deeply");
    advance(2);
    auto inner = parse_substitution(source_.substr(offset_), where_, depth_ + 1);
    if (!inner) {
        // More input cannot help what a parenthesis has already closed.
        auto error = inner.error();
        error.kind = SyntaxError::Kind::wrong;
        return error;
    }
    if (inner->length == std::string_view::npos)
        return incomplete(start, "no closing ) for this $(");
    advance(inner->length);
    word.parts.push_back({ WordPart::Kind::substitution, quoting, {},
        std::make_shared<Script const>(std::move(inner->script)) });
    return {};
}

} // namespace gemel::gsh
