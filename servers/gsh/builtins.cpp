// The commands that the shell runs itself, because they change it or because they are too small for
// a program of their own.
#include "servers/gsh/arithmetic.hpp"
#include "servers/gsh/executor.hpp"
#include "servers/gsh/lexer.hpp"
#include "servers/gsh/path.hpp"

#include <algorithm>
#include <array>

namespace gemel::gsh {
namespace {

using Arguments = std::vector<std::string>;

std::string error_text(Error error)
{
    return std::string(name_of(error));
}

// One line, without its end; nothing at the end of the stream.
Result<std::optional<std::string>> read_line(Stream& stream)
{
    auto line = std::string {};
    char c = 0;
    for (;;) {
        auto const count = TRY(stream.read({ &c, 1 }));
        if (count == 0)
            return line.empty() ? std::nullopt : std::optional(line);
        if (c == '\n')
            return std::optional(line);
        if (line.size() >= script_bytes_max)
            return Error::too_big;
        line += c;
    }
}

// Text with blanks at both ends taken away.
std::string_view trimmed(std::string_view text)
{
    auto const start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos)
        return {};
    return text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

} // namespace

std::span<Executor::BuiltinEntry const> Executor::builtins()
{
    static constexpr std::array<BuiltinEntry, 21> entries { {
        BuiltinEntry { ".", &Executor::builtin_source, false, ". FILE: runs FILE in this shell" },
        BuiltinEntry { "[", &Executor::builtin_test, false, "[ EXPRESSION ]: as test" },
        BuiltinEntry { "break", &Executor::builtin_break, false, "leaves the loop" },
        BuiltinEntry {
            "cd", &Executor::builtin_cd, false, "cd [DIRECTORY]: goes there, or to $HOME" },
        BuiltinEntry {
            "continue", &Executor::builtin_break, false, "begins the loop's next round" },
        BuiltinEntry {
            "echo", &Executor::builtin_echo, true, "echo [-n] WORD...: writes the words" },
        BuiltinEntry { "exit", &Executor::builtin_exit, false, "exit [STATUS]: leaves the shell" },
        BuiltinEntry { "export", &Executor::builtin_export, false,
            "export NAME[=VALUE]...: gives variables to programs" },
        BuiltinEntry { "false", &Executor::builtin_false, true, "fails" },
        BuiltinEntry { "help", &Executor::builtin_help, false, "lists what can be run" },
        BuiltinEntry {
            "history", &Executor::builtin_history, false, "lists the lines typed so far" },
        BuiltinEntry { "pwd", &Executor::builtin_pwd, false, "writes the directory" },
        BuiltinEntry {
            "read", &Executor::builtin_read, false, "read NAME...: a line into variables" },
        BuiltinEntry { "set", &Executor::builtin_set, false, "lists the variables" },
        BuiltinEntry { "shift", &Executor::builtin_shift, false, "takes $1 away" },
        BuiltinEntry {
            "shutdown", &Executor::builtin_shutdown, false, "shutdown [STATUS]: ends the system" },
        BuiltinEntry {
            "source", &Executor::builtin_source, false, "source FILE: runs FILE in this shell" },
        BuiltinEntry { "test", &Executor::builtin_test, false,
            "test EXPRESSION: compares texts and numbers, asks for files" },
        BuiltinEntry { "true", &Executor::builtin_true, true, "succeeds" },
        BuiltinEntry { "type", &Executor::builtin_type, false, "type NAME...: says what it runs" },
        BuiltinEntry {
            "unset", &Executor::builtin_unset, false, "unset NAME...: forgets variables" },
    } };
    return entries;
}

Executor::BuiltinEntry const* Executor::find_builtin(std::string_view name)
{
    auto const all = builtins();
    auto const found = std::ranges::find(all, name, &BuiltinEntry::name);
    return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> Executor::builtin_names()
{
    auto result = std::vector<std::string> {};
    for (auto const& entry : builtins())
        result.emplace_back(entry.name);
    return result;
}

int Executor::print(Streams const& streams, std::string const& name, std::string_view text)
{
    auto const written = streams.output->write(text);
    if (written)
        return 0;
    // A reader that has seen enough is no reason for a word.
    return written.error() == Error::dead
        ? 1
        : fail(streams, name + ": " + error_text(written.error()));
}

int Executor::builtin_cd(Arguments const& arguments, Streams const& streams)
{
    if (arguments.size() > 2)
        return fail(streams, "cd: takes one directory", 2);
    auto target = arguments.size() == 2 ? arguments[1] : variables.get("HOME");
    auto const back = target == "-";
    if (back)
        target = variables.get("OLDPWD");
    if (target.empty())
        target = "/";
    auto const resolved = world_.resolve(absolute_path(directory, target));
    if (!resolved)
        return fail(streams, "cd: " + target + ": " + error_text(resolved.error()));
    variables.set("OLDPWD", directory);
    directory = *resolved;
    variables.set("PWD", directory);
    return back ? print(streams, "cd", directory + "\n") : 0;
}

int Executor::builtin_pwd(Arguments const&, Streams const& streams)
{
    return print(streams, "pwd", directory + "\n");
}

int Executor::builtin_echo(Arguments const& arguments, Streams const& streams)
{
    auto const bare = arguments.size() > 1 && arguments[1] == "-n";
    auto text = std::string {};
    for (usize i = bare ? 2 : 1; i < arguments.size(); ++i)
        text.append(i == (bare ? 2u : 1u) ? "" : " ").append(arguments[i]);
    return print(streams, "echo", bare ? text : text + "\n");
}

int Executor::builtin_true(Arguments const&, Streams const&)
{
    return 0;
}

int Executor::builtin_false(Arguments const&, Streams const&)
{
    return 1;
}

int Executor::builtin_exit(Arguments const& arguments, Streams const& streams)
{
    auto status = variables.status;
    if (arguments.size() > 1) {
        auto const number = number_in(arguments[1]);
        if (!number)
            return fail(streams, "exit: " + number.error(), 2);
        status = static_cast<int>(*number & 0xFF);
    }
    flow_ = Flow::exit;
    return status;
}

int Executor::builtin_export(Arguments const& arguments, Streams const& streams)
{
    if (arguments.size() == 1) {
        auto text = std::string {};
        for (auto const& line : variables.exported())
            text += line + "\n";
        return print(streams, "export", text);
    }
    for (usize i = 1; i < arguments.size(); ++i) {
        auto const equals = arguments[i].find('=');
        auto const name = arguments[i].substr(0, equals);
        if (!is_name(name))
            return fail(streams, "export: `" + name + "` is not a name", 2);
        if (equals != std::string::npos)
            variables.set(name, std::string_view(arguments[i]).substr(equals + 1));
        variables.mark_exported(name);
    }
    return 0;
}

int Executor::builtin_unset(Arguments const& arguments, Streams const&)
{
    for (usize i = 1; i < arguments.size(); ++i)
        variables.unset(arguments[i]);
    return 0;
}

int Executor::builtin_set(Arguments const& arguments, Streams const& streams)
{
    if (arguments.size() > 1)
        return fail(streams, "set: " + arguments[1] + ": only `set` alone is offered", 2);
    auto text = std::string {};
    for (auto const& line : variables.all())
        text += line + "\n";
    return print(streams, "set", text);
}

int Executor::builtin_source(Arguments const& arguments, Streams const& streams)
{
    if (arguments.size() != 2)
        return fail(streams, arguments[0] + ": takes one file", 2);
    auto stream = world_.open(absolute_path(directory, arguments[1]), OpenFor::input);
    auto const text = stream ? read_all(**stream, script_bytes_max) : stream.error();
    if (!text)
        return fail(streams, arguments[1] + ": " + error_text(text.error()));
    return run_text(*text, arguments[1], streams);
}

int Executor::builtin_history(Arguments const&, Streams const& streams)
{
    auto text = std::string {};
    for (usize i = 0; i < history.size(); ++i) {
        auto number = std::to_string(i + 1);
        number.insert(0, 5 - std::min<usize>(number.size(), 5), ' ');
        text += number + "  " + history[i] + "\n";
    }
    return print(streams, "history", text);
}

int Executor::builtin_help(Arguments const&, Streams const& streams)
{
    auto text = std::string("In the shell:\n");
    auto const line = [&text](std::string_view name, std::string_view summary) {
        text.append("  ").append(name);
        text.append(name.size() < 11 ? 11 - name.size() : 1, ' ').append(summary).append("\n");
    };
    for (auto const& entry : builtins())
        line(entry.name, entry.help);
    text += "  time       time COMMAND: says how long it took\n"
            "  also       if while until for { }, ; && || ! |, < > >> 2> 2>&1, * ? [a-z],\n"
            "             $NAME $? $1 $(COMMAND) $((1 + 2)), '...' \"...\" \\, # comment\n";
    auto const status = print(streams, "help", text + "\nPrograms:\n");
    return status == 0 ? list_programs(streams) : status;
}

// The bundle's own say what they do; of the others the name must do.
int Executor::list_programs(Streams const& streams)
{
    auto const search = variables.get("PATH");
    auto own_directory = std::string {};
    if (auto const tools = world_.find_program("tools", search)) {
        own_directory = tools->substr(0, tools->rfind('/') + 1);
        auto process = world_.spawn({ *tools, { "tools" }, variables.exported(), streams });
        if (auto const ended = process ? (*process)->wait() : process.error(); !ended)
            return fail(streams, "tools: " + error_text(ended.error()));
    }
    auto text = std::string {};
    for (auto const& name : world_.programs(search)) {
        auto const path = world_.find_program(name, search);
        if (own_directory.empty() || (path && !path->starts_with(own_directory)))
            text += "  " + name + "\n";
    }
    text += "\nCtrl-C interrupts, Ctrl-D leaves, Tab completes, the arrows recall earlier lines.\n";
    return print(streams, "help", text);
}

int Executor::builtin_read(Arguments const& arguments, Streams const& streams)
{
    auto const line = read_line(*streams.input);
    if (!line)
        return fail(streams, "read: " + error_text(line.error()));
    auto const text = line->value_or("");
    auto rest = trimmed(text);
    for (usize i = 1; i < arguments.size(); ++i) {
        if (!is_name(arguments[i]))
            return fail(streams, "read: `" + arguments[i] + "` is not a name", 2);
        auto const last = i + 1 == arguments.size();
        auto const end = last ? rest.size() : std::min(rest.find_first_of(" \t"), rest.size());
        variables.set(arguments[i], rest.substr(0, end));
        rest = trimmed(rest.substr(end));
    }
    return *line ? 0 : 1;
}

int Executor::builtin_break(Arguments const& arguments, Streams const& streams)
{
    if (loops_ == 0)
        return fail(streams, arguments[0] + ": not in a loop");
    flow_ = arguments[0] == "break" ? Flow::break_loop : Flow::continue_loop;
    return 0;
}

int Executor::builtin_shift(Arguments const&, Streams const& streams)
{
    if (variables.arguments.size() < 2)
        return fail(streams, "shift: there is no $1");
    variables.arguments.erase(variables.arguments.begin() + 1);
    return 0;
}

int Executor::builtin_shutdown(Arguments const& arguments, Streams const& streams)
{
    i64 status = 0;
    if (arguments.size() > 1) {
        auto const number = number_in(arguments[1]);
        if (!number || *number < 0 || *number > 255)
            return fail(streams, "shutdown: a status is a number from 0 to 255", 2);
        status = *number;
    }
    auto const refused = world_.shut_down(static_cast<int>(status));
    if (!refused)
        return fail(streams, "shutdown: " + error_text(refused.error()));
    flow_ = Flow::exit;
    return static_cast<int>(status);
}

int Executor::builtin_type(Arguments const& arguments, Streams const& streams)
{
    auto status = 0;
    for (usize i = 1; i < arguments.size(); ++i) {
        auto const& name = arguments[i];
        auto const program = world_.find_program(name, variables.get("PATH"));
        if (find_builtin(name))
            print(streams, "type", name + " is part of the shell\n");
        else if (program)
            print(streams, "type", name + " is " + *program + "\n");
        else
            status = fail(streams, name + ": " + error_text(program.error()), status_not_found);
    }
    return status;
}

int Executor::builtin_test(Arguments const& arguments, Streams const& streams)
{
    auto words = Arguments(arguments.begin() + 1, arguments.end());
    if (arguments[0] == "[") {
        if (words.empty() || words.back() != "]")
            return fail(streams, "[: no closing ]", 2);
        words.pop_back();
    }
    auto const held = test_expression(words);
    if (!held)
        return fail(streams, arguments[0] + ": " + held.error(), 2);
    return *held ? 0 : 1;
}

std::expected<bool, std::string> Executor::test_expression(std::span<std::string const> words)
{
    if (words.empty())
        return false;
    if (words[0] == "!" && words.size() > 1) {
        auto const held = test_expression(words.subspan(1));
        return held ? std::expected<bool, std::string>(!*held) : held;
    }
    if (words.size() == 1)
        return !words[0].empty();
    if (words.size() == 2)
        return test_one(words[0], words[1]);
    if (words.size() == 3)
        return test_two(words[0], words[1], words[2]);
    return std::unexpected("expected at most three words");
}

std::expected<bool, std::string> Executor::test_one(
    std::string const& what, std::string const& operand)
{
    if (what == "-n")
        return !operand.empty();
    if (what == "-z")
        return operand.empty();
    auto const status = world_.status(absolute_path(directory, operand));
    if (what == "-e")
        return status.has_value();
    if (what == "-f")
        return status && status->kind == FileKind::regular;
    if (what == "-d")
        return status && status->kind == FileKind::directory;
    if (what == "-s")
        return status && status->size > 0;
    return std::unexpected("`" + what + "` is none of -n -z -e -f -d -s");
}

std::expected<bool, std::string> Executor::test_two(
    std::string const& left, std::string const& what, std::string const& right)
{
    if (what == "=" || what == "==")
        return left == right;
    if (what == "!=")
        return left != right;
    static constexpr std::array<std::string_view, 6> comparisons { "-eq", "-ne", "-lt", "-le",
        "-gt", "-ge" };
    auto const found = std::ranges::find(comparisons, what);
    if (found == comparisons.end())
        return std::unexpected("`" + what + "` is no comparison");
    auto const a = number_in(left);
    auto const b = number_in(right);
    if (!a || !b)
        return std::unexpected(a ? b.error() : a.error());
    std::array<bool, 6> const results { *a == *b, *a != *b, *a<*b, *a <= *b, *a> * b, *a >= *b };
    return results[static_cast<usize>(found - comparisons.begin())];
}

} // namespace gemel::gsh
