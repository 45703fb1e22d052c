#include "frontends/cli/terminal.hpp"

#include <cerrno>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

// Waits for one byte (all is well) or the end of the pipe (the other process is gone).
[[noreturn]] void guard(int pipe, termios const& before)
{
    ::setpgid(0, 0);
    ::signal(SIGTTOU, SIG_IGN); // it is not the terminal's foreground process
    ::signal(SIGHUP, SIG_IGN);
    char byte = 0;
    ssize_t got = 0;
    do
        got = ::read(pipe, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
    ::_exit(0);
}

} // namespace

std::optional<RawTerminal> RawTerminal::enter()
{
    termios before {};
    if (::tcgetattr(STDIN_FILENO, &before) != 0)
        return std::nullopt;
    int ends[2];
    if (::pipe(ends) != 0)
        return std::nullopt;
    auto const guardian = ::fork();
    if (guardian == 0) {
        ::close(ends[1]);
        guard(ends[0], before);
    }
    ::close(ends[0]);
    if (guardian < 0) {
        ::close(ends[1]);
        return std::nullopt;
    }
    auto raw = before;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    return RawTerminal { before, guardian, ends[1] };
}

RawTerminal::RawTerminal(termios const& before, pid_t guardian, int guardian_pipe)
    : before_(before)
    , guardian_(guardian)
    , guardian_pipe_(guardian_pipe)
{
}

RawTerminal::RawTerminal(RawTerminal&& other) noexcept
    : before_(other.before_)
    , guardian_(other.guardian_)
    , guardian_pipe_(other.guardian_pipe_)
{
    other.guardian_pipe_ = -1;
}

RawTerminal::~RawTerminal()
{
    if (guardian_pipe_ < 0)
        return;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    auto const written = ::write(guardian_pipe_, "", 1);
    ::close(guardian_pipe_);
    if (written == 1)
        ::waitpid(guardian_, nullptr, 0);
}

} // namespace gemel::cli
