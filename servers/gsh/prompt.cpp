#include "servers/gsh/prompt.hpp"

#include "servers/gsh/completion.hpp"
#include "servers/gsh/parser.hpp"

#include <array>

namespace gemel::gsh {
namespace {

constexpr usize put_back_bytes_max = 40;

bool is_incomplete(std::string const& command)
{
    auto const script = parse(command);
    return !script && script.error().kind == SyntaxError::Kind::incomplete;
}

} // namespace

Prompt::Prompt(SystemWorld& world, Executor& executor, StreamRef terminal)
    : world_(world)
    , executor_(executor)
    , terminal_(std::move(terminal))
    , editor_(executor.history, [this](std::string_view before) {
        return complete_line({ world_, executor_.directory, executor_.variables.get("PATH"),
                                 Executor::builtin_names() },
            before);
    })
{
}

Result<void> Prompt::run()
{
    while (!executor_.has_ended()) {
        auto command = std::string {};
        auto const read = TRY(read_command(command));
        if (read == Line::end)
            break;
        if (read == Line::complete)
            TRY(run_command(command));
        else
            executor_.variables.status = status_interrupted;
    }
    return {};
}

// More lines while the command is not complete.
Result<Prompt::Line> Prompt::read_command(std::string& command)
{
    auto prompt = "gsh:" + executor_.directory + "$ ";
    for (;;) {
        auto const read = TRY(read_line(prompt));
        if (read != Line::complete)
            return read == Line::end && !command.empty() ? Line::complete : read;
        remember(editor_.line());
        command += editor_.line() + "\n";
        if (!is_incomplete(command))
            return Line::complete;
        prompt = "> ";
    }
}

Result<Prompt::Line> Prompt::read_line(std::string const& prompt)
{
    TRY(world_.console().call(protocol::Console::SetMode { protocol::ConsoleMode::raw }));
    auto const size = TRY(world_.console().call(protocol::Console::Size {}));
    executor_.variables.set("COLUMNS", std::to_string(size.columns), Variables::Export::yes);
    editor_.begin(prompt, size.columns);
    auto buffer = std::array<char, 1024> {};
    for (;;) {
        TRY(terminal_->write(editor_.take_output()));
        auto const count = TRY(terminal_->read(buffer));
        if (count == 0)
            return Line::end;
        auto const bytes = std::string_view(buffer.data(), count);
        auto const fed = editor_.feed(bytes);
        if (fed.event == LineEditor::Event::more)
            continue;
        TRY(terminal_->write(editor_.take_output()));
        TRY(put_back(bytes.substr(fed.consumed)));
        return fed.event == LineEditor::Event::line       ? Line::complete
            : fed.event == LineEditor::Event::interrupted ? Line::abandoned
                                                          : Line::end;
    }
}

// What was typed ahead is for the program that is started now, or for the next prompt.
Result<void> Prompt::put_back(std::string_view bytes)
{
    while (!bytes.empty()) {
        auto const count = std::min(bytes.size(), put_back_bytes_max);
        TRY(world_.console().call(
            protocol::Console::PutBack { bytes.substr(bytes.size() - count) }));
        bytes.remove_suffix(count);
    }
    return {};
}

Result<void> Prompt::run_command(std::string const& command)
{
    static_cast<void>(world_.take_interrupt()); // one of before
    TRY(world_.watch_interrupts());
    TRY(world_.console().call(protocol::Console::SetMode { protocol::ConsoleMode::lines }));
    executor_.run_text(command, "gsh");
    if (executor_.was_interrupted()) {
        executor_.variables.status = status_interrupted;
        TRY(terminal_->write("^C\n"));
    }
    executor_.recover();
    return {};
}

void Prompt::remember(std::string const& line)
{
    auto& history = executor_.history;
    if (line.empty() || (!history.empty() && history.back() == line))
        return;
    if (history.size() >= history_lines_max)
        history.erase(history.begin());
    history.push_back(line);
}

} // namespace gemel::gsh
