#include "servers/gsh/completion.hpp"

#include "servers/gsh/path.hpp"

#include <algorithm>
#include <array>

namespace gemel::gsh {
namespace {

constexpr std::array<std::string_view, 10> words_before_a_command { "if", "then", "else", "elif",
    "while", "until", "do", "time", "!", "{" };

struct LastWord {
    usize start = 0; // in the line
    std::string text; // without its quotes
    bool is_command = true;
};

bool introduces_command(std::string_view word)
{
    return word.empty()
        || std::ranges::find(words_before_a_command, word) != words_before_a_command.end();
}

// The word that the cursor is at the end of, by the lexer's rules for quotes and blanks.
LastWord last_word(std::string_view line)
{
    auto word = LastWord {};
    char quote = 0;
    for (usize i = 0; i < line.size(); ++i) {
        auto const c = line[i];
        if (quote == 0 && (c == ' ' || c == '\t')) {
            if (i != word.start)
                word.is_command = word.is_command && introduces_command(word.text);
            word.start = i + 1;
            word.text.clear();
        } else if (quote == 0 && (c == ';' || c == '|' || c == '&' || c == '(')) {
            word = { i + 1, {}, true };
        } else if (quote == 0 && (c == '<' || c == '>')) {
            word = { i + 1, {}, false };
        } else if (c == quote) {
            quote = 0;
        } else if (quote == 0 && (c == '\'' || c == '"')) {
            quote = c;
        } else {
            if (c == '\\' && quote != '\'' && i + 1 < line.size())
                ++i;
            word.text += line[i];
        }
    }
    return word;
}

std::string escaped(std::string_view text)
{
    auto result = std::string {};
    for (auto const c : text) {
        if (std::string_view(" \t\\'\"$`*?[]<>|;&()#").find(c) != std::string_view::npos)
            result += '\\';
        result += c;
    }
    return result;
}

struct Candidate {
    std::string text;
    std::string name;
    auto operator<=>(Candidate const&) const = default;
};

std::vector<Candidate> commands(CompletionSource const& source, std::string_view start)
{
    auto result = std::vector<Candidate> {};
    for (auto const& name : source.commands)
        if (name.starts_with(start))
            result.push_back({ escaped(name), name });
    for (auto const& program : source.world.programs(source.search))
        if (program.starts_with(start))
            result.push_back({ escaped(program), program });
    return result;
}

std::vector<Candidate> files(CompletionSource const& source, std::string_view word)
{
    auto result = std::vector<Candidate> {};
    auto const slash = word.rfind('/');
    auto const prefix = slash == std::string_view::npos ? "" : word.substr(0, slash + 1);
    auto const start = word.substr(prefix.size());
    auto const directory = absolute_path(source.directory, prefix);
    auto const entries = source.world.list(directory);
    if (!entries)
        return result;
    for (auto const& entry : *entries) {
        if (!entry.name.starts_with(start) || (entry.name.starts_with('.') && start.empty()))
            continue;
        auto kind = entry.kind;
        if (kind == FileKind::symlink)
            if (auto const status = source.world.status(join_path(directory, entry.name)))
                kind = status->kind;
        auto const name = entry.name + (kind == FileKind::directory ? "/" : "");
        result.push_back({ escaped(std::string(prefix) + name), name });
    }
    return result;
}

} // namespace

Completion complete_line(CompletionSource const& source, std::string_view before_cursor)
{
    auto const word = last_word(before_cursor);
    auto const by_name = word.is_command && word.text.find('/') == std::string::npos;
    auto candidates = by_name ? commands(source, word.text) : files(source, word.text);
    std::ranges::sort(candidates);
    auto const repeated = std::ranges::unique(candidates);
    candidates.erase(repeated.begin(), repeated.end());
    auto result = Completion { word.start, {}, {} };
    for (auto& candidate : candidates) {
        result.texts.push_back(std::move(candidate.text));
        result.names.push_back(std::move(candidate.name));
    }
    return result;
}

} // namespace gemel::gsh
