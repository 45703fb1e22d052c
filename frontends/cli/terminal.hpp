// The host terminal, raw while the system runs. A second process holds the old settings and
// restores them when this one ends without doing so itself: a crash or even SIGKILL leaves a usable
// terminal.
#pragma once

#include <optional>
#include <termios.h>

#include <sys/types.h>

namespace gemel::cli {

class RawTerminal {
public:
    // Standard input becomes raw. Null (and nothing is changed) when it is not a terminal.
    static std::optional<RawTerminal> enter();

    RawTerminal(RawTerminal&& other) noexcept;
    RawTerminal(RawTerminal const&) = delete;
    RawTerminal& operator=(RawTerminal const&) = delete;
    RawTerminal& operator=(RawTerminal&&) = delete;
    ~RawTerminal();

private:
    RawTerminal(termios const& before, pid_t guardian, int guardian_pipe);

    termios before_;
    pid_t guardian_;
    int guardian_pipe_; // -1: moved from
};

} // namespace gemel::cli
