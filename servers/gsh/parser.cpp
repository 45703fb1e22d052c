#include "servers/gsh/parser.hpp"

#include "core/base/result.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace gemel::gsh {
namespace {

using ScriptRef = std::shared_ptr<Script const>;

constexpr std::array<std::string_view, 8> closing_words { "then", "elif", "else", "fi", "do",
    "done", "}", "in" };

// The unquoted text of a token, when it is nothing else.
std::string_view plain_text(Token const& token)
{
    if (token.kind != Token::Kind::word || token.word.parts.size() != 1)
        return {};
    auto const& part = token.word.parts[0];
    if (part.kind != WordPart::Kind::text || part.quoting != WordPart::Quoting::none)
        return {};
    return part.text;
}

std::string describe(Token const& token)
{
    switch (token.kind) {
    case Token::Kind::end:
        return "the end of the input";
    case Token::Kind::newline:
        return "the end of the line";
    case Token::Kind::semicolon:
        return "`;`";
    case Token::Kind::and_if:
        return "`&&`";
    case Token::Kind::or_if:
        return "`||`";
    case Token::Kind::pipe:
        return "`|`";
    case Token::Kind::redirection:
        return "a redirection";
    case Token::Kind::word:
        break;
    }
    auto const text = plain_text(token);
    return text.empty() ? "a word" : "`" + std::string(text) + "`";
}

class Parser {
public:
    Parser(std::string_view source, Position start, u32 depth)
        : lexer_(source, depth, start)
        , depth_(depth)
    {
    }

    Parsed<Script> whole();

private:
    Parsed<void> shift();
    Parsed<Script> list();
    Parsed<ScriptRef> body(std::string_view what);
    Parsed<Pipeline> pipeline();
    Parsed<Command> command();
    Parsed<void> compound(Command& command);
    Parsed<void> if_command(Command& command);
    Parsed<void> loop_command(Command& command, LoopCommand::Until until);
    Parsed<void> for_command(Command& command);
    Parsed<void> group_command(Command& command);
    Parsed<void> simple_command(Command& command);
    Parsed<void> redirection(Command& command);
    Parsed<void> expect(std::string_view word);
    Parsed<void> skip_newlines();
    SyntaxError unexpected_token(std::string expected) const;
    bool at(std::string_view word) const { return plain_text(token_) == word; }
    bool at_closing_word() const
    {
        return std::ranges::find(closing_words, plain_text(token_)) != closing_words.end()
            && !at("in");
    }
    bool at_command() const
    {
        return (token_.kind == Token::Kind::word && !at_closing_word())
            || token_.kind == Token::Kind::redirection;
    }

    Lexer lexer_;
    Token token_;
    u32 depth_;
};

Parsed<void> Parser::shift()
{
    token_ = TRY(lexer_.next());
    return {};
}

SyntaxError Parser::unexpected_token(std::string expected) const
{
    auto const kind = token_.kind == Token::Kind::end ? SyntaxError::Kind::incomplete
                                                      : SyntaxError::Kind::wrong;
    return { kind, token_.where,
        "expected " + std::move(expected) + ", found " + describe(token_) };
}

Parsed<Script> Parser::whole()
{
    TRY(shift());
    auto script = TRY(list());
    if (token_.kind != Token::Kind::end)
        return SyntaxError { SyntaxError::Kind::wrong, token_.where,
            describe(token_) + " does not belong here" };
    return script;
}

Parsed<void> Parser::skip_newlines()
{
    while (token_.kind == Token::Kind::newline)
        TRY(shift());
    return {};
}

Parsed<Script> Parser::list()
{
    auto script = Script {};
    for (;;) {
        TRY(skip_newlines());
        if (!at_command())
            return script;
        auto connector = Pipeline::Connector::always;
        for (;;) {
            script.pipelines.push_back(TRY(pipeline()));
            script.pipelines.back().connector = connector;
            if (token_.kind == Token::Kind::and_if)
                connector = Pipeline::Connector::if_succeeded;
            else if (token_.kind == Token::Kind::or_if)
                connector = Pipeline::Connector::if_failed;
            else
                break;
            TRY(shift());
            TRY(skip_newlines());
        }
        if (token_.kind != Token::Kind::semicolon && token_.kind != Token::Kind::newline)
            return script;
        TRY(shift());
    }
}

// A list that must hold at least one command.
Parsed<ScriptRef> Parser::body(std::string_view what)
{
    auto script = TRY(list());
    if (script.pipelines.empty())
        return unexpected_token("a command after `" + std::string(what) + "`");
    return std::make_shared<Script const>(std::move(script));
}

Parsed<Pipeline> Parser::pipeline()
{
    auto result = Pipeline {};
    if (at("time")) {
        result.timing = Pipeline::Timing::report;
        TRY(shift());
    }
    if (at("!")) {
        result.sense = Pipeline::Sense::inverted;
        TRY(shift());
    }
    for (;;) {
        result.commands.push_back(TRY(command()));
        if (token_.kind != Token::Kind::pipe)
            return result;
        TRY(shift());
        TRY(skip_newlines());
    }
}

Parsed<Command> Parser::command()
{
    if (!at_command())
        return unexpected_token("a command");
    if (++depth_ > nesting_max)
        return SyntaxError { SyntaxError::Kind::wrong, token_.where,
            "commands are nested too deeply" };
    auto result = Command { token_.where, {}, {} };
    TRY(compound(result));
    --depth_;
    return result;
}

Parsed<void> Parser::compound(Command& command)
{
    auto const text = plain_text(token_);
    if (text == "case" || text == "function" || text == "select")
        return SyntaxError { SyntaxError::Kind::wrong, token_.where,
            "`" + std::string(text) + "` is not offered" };
    if (text == "if")
        TRY(if_command(command));
    else if (text == "while")
        TRY(loop_command(command, LoopCommand::Until::fails));
    else if (text == "until")
        TRY(loop_command(command, LoopCommand::Until::succeeds));
    else if (text == "for")
        TRY(for_command(command));
    else if (text == "{")
        TRY(group_command(command));
    else
        return simple_command(command);
    while (token_.kind == Token::Kind::redirection)
        TRY(redirection(command));
    return {};
}

Parsed<void> Parser::expect(std::string_view word)
{
    if (!at(word))
        return unexpected_token("`" + std::string(word) + "`");
    return shift();
}

Parsed<void> Parser::if_command(Command& command)
{
    auto result = IfCommand {};
    auto introduced_by = std::string_view("if");
    do {
        TRY(shift());
        auto condition = TRY(body(introduced_by));
        TRY(expect("then"));
        auto action = TRY(body("then"));
        result.branches.emplace_back(std::move(condition), std::move(action));
        introduced_by = "elif";
    } while (at("elif"));
    if (at("else")) {
        TRY(shift());
        result.otherwise = TRY(body("else"));
    }
    TRY(expect("fi"));
    command.kind = std::move(result);
    return {};
}

Parsed<void> Parser::loop_command(Command& command, LoopCommand::Until until)
{
    TRY(shift());
    auto condition = TRY(body("while"));
    TRY(expect("do"));
    auto action = TRY(body("do"));
    TRY(expect("done"));
    command.kind = LoopCommand { until, std::move(condition), std::move(action) };
    return {};
}

Parsed<void> Parser::for_command(Command& command)
{
    auto result = ForCommand {};
    TRY(shift());
    result.variable = plain_text(token_);
    if (!is_name(result.variable))
        return unexpected_token("a variable's name after `for`");
    TRY(shift());
    TRY(skip_newlines());
    TRY(expect("in"));
    while (token_.kind == Token::Kind::word) {
        result.words.push_back(std::move(token_.word));
        TRY(shift());
    }
    if (token_.kind != Token::Kind::semicolon && token_.kind != Token::Kind::newline)
        return unexpected_token("`;` or a new line before `do`");
    TRY(shift());
    TRY(skip_newlines());
    TRY(expect("do"));
    result.body = TRY(body("do"));
    TRY(expect("done"));
    command.kind = std::move(result);
    return {};
}

Parsed<void> Parser::group_command(Command& command)
{
    TRY(shift());
    auto result = GroupCommand { TRY(body("{")) };
    TRY(expect("}"));
    command.kind = std::move(result);
    return {};
}

// NAME=value: the name must be plain text, the value may be anything.
std::optional<Assignment> assignment_in(Word const& word)
{
    if (word.parts.empty() || word.parts[0].kind != WordPart::Kind::text
        || word.parts[0].quoting != WordPart::Quoting::none)
        return std::nullopt;
    auto const& text = word.parts[0].text;
    auto const equals = text.find('=');
    if (equals == std::string::npos || !is_name(std::string_view(text).substr(0, equals)))
        return std::nullopt;
    auto result = Assignment { text.substr(0, equals), word };
    auto& first = result.value.parts[0];
    first.text.erase(0, equals + 1);
    if (first.text.empty())
        result.value.parts.erase(result.value.parts.begin());
    return result;
}

Parsed<void> Parser::simple_command(Command& command)
{
    auto result = SimpleCommand {};
    for (;;) {
        if (token_.kind == Token::Kind::redirection) {
            TRY(redirection(command));
            continue;
        }
        if (token_.kind != Token::Kind::word)
            break;
        auto assignment = result.words.empty() ? assignment_in(token_.word) : std::nullopt;
        if (assignment)
            result.assignments.push_back(std::move(*assignment));
        else
            result.words.push_back(std::move(token_.word));
        TRY(shift());
    }
    command.kind = std::move(result);
    return {};
}

Parsed<void> Parser::redirection(Command& command)
{
    auto result = std::move(token_.redirection);
    TRY(shift());
    if (result.kind != Redirection::Kind::same_as) {
        if (token_.kind != Token::Kind::word)
            return unexpected_token("a file name after the redirection");
        result.target = std::move(token_.word);
        TRY(shift());
    }
    command.redirections.push_back(std::move(result));
    return {};
}

// Where the `)` that ends a substitution stands: the lexer's rules for quotes hold inside.
usize closing_parenthesis(std::string_view source)
{
    u32 open = 0;
    for (usize i = 0; i < source.size(); ++i) {
        switch (source[i]) {
        case '\\':
            ++i;
            break;
        case '\'':
        case '"': {
            auto const quote = source[i];
            for (++i; i < source.size() && source[i] != quote; ++i)
                i += source[i] == '\\' && quote == '"' ? 1 : 0;
            break;
        }
        case '(':
            ++open;
            break;
        case ')':
            if (open-- == 0)
                return i;
        }
    }
    return std::string_view::npos;
}

} // namespace

Parsed<Script> parse(std::string_view source, Position start)
{
    return Parser(source, start, 0).whole();
}

Parsed<Substitution> parse_substitution(std::string_view source, Position start, u32 depth)
{
    auto const close = closing_parenthesis(source);
    if (close == std::string_view::npos)
        return Substitution { {}, close };
    auto script = TRY(Parser(source.substr(0, close), start, depth).whole());
    return Substitution { std::move(script), close + 1 };
}

} // namespace gemel::gsh
