// The shell at a terminal: prompt, line, run, again.
#pragma once

#include "servers/gsh/executor.hpp"
#include "servers/gsh/line_editor.hpp"
#include "servers/gsh/system_world.hpp"

namespace gemel::gsh {

class Prompt {
public:
    Prompt(SystemWorld& world, Executor& executor, StreamRef terminal);

    // Until `exit`, Ctrl-D or the end of the terminal itself, whose error it returns.
    Result<void> run();

private:
    enum class Line : u8 { complete, abandoned, end };

    Result<Line> read_line(std::string const& prompt);
    Result<Line> read_command(std::string& command);
    Result<void> run_command(std::string const& command);
    Result<void> put_back(std::string_view bytes);
    void remember(std::string const& line);

    SystemWorld& world_;
    Executor& executor_;
    StreamRef terminal_;
    LineEditor editor_;
};

} // namespace gemel::gsh
