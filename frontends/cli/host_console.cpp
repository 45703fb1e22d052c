#include "frontends/cli/host_console.hpp"

#include "sim/devices/map.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr std::size_t output_bytes_max = 4096;
constexpr std::size_t untaken_max = 65536; // input is left where it is while more than this waits
constexpr std::size_t file_bytes_max = 64u << 20; // of a file as standard input
constexpr char end_of_input = '\x04'; // Ctrl-D
constexpr char interrupt_key = '\x03'; // Ctrl-C
constexpr char literal_key = '\x16'; // Ctrl-V: servers/console/line_discipline.hpp
constexpr char leave_key = '\x1D'; // Ctrl-]
constexpr int left_status = 130;

// A file or /dev/null cannot be waited for; it is always ready.
bool can_be_watched(int descriptor)
{
    struct stat status { };
    return ::fstat(descriptor, &status) == 0
        && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || ::isatty(descriptor) != 0);
}

} // namespace

HostConsole::HostConsole(arch::Machine& machine, SerialFilter& filter, Input input, ConsoleTap* tap)
    : machine_(machine)
    , filter_(filter)
    , input_(input)
    , tap_(tap)
    , uart_(own_.emplace(machine, sim::uart_line, [this](char byte) {
        sends({ &byte, 1 });
    }))
{
    machine_.on_console([this](std::string_view text) { sends(text); });
    machine_.on_idle([this] { idle(); });
    start_input();
}

HostConsole::HostConsole(
    arch::Machine& machine, SerialFilter& filter, Input input, sim::Uart16550& uart)
    : machine_(machine)
    , filter_(filter)
    , input_(input)
    , uart_(uart)
{
    machine_.on_idle([this] { idle(); });
    start_input();
}

void HostConsole::start_input()
{
    if (can_be_watched(STDIN_FILENO))
        return listen(true);
    char bytes[4096];
    for (std::size_t all = 0; all < file_bytes_max;) {
        auto const got = ::read(STDIN_FILENO, bytes, sizeof bytes);
        if (got <= 0)
            break;
        all += static_cast<std::size_t>(got);
        typed({ bytes, static_cast<std::size_t>(got) });
    }
    ended();
}

void HostConsole::listen(bool on)
{
    listens_ = on;
    if (on)
        machine_.watch(STDIN_FILENO, [this] { take_input(); });
    else
        machine_.unwatch(STDIN_FILENO);
}

bool HostConsole::input_waits() const noexcept
{
    pollfd input { STDIN_FILENO, POLLIN, 0 };
    return listens_ && ::poll(&input, 1, 0) > 0;
}

void HostConsole::take_input()
{
    char bytes[4096];
    auto const got = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        listen(false);
        return ended();
    }
    typed({ bytes, static_cast<std::size_t>(got) });
    if (uart_.untaken() > untaken_max) {
        listen(false);
        paused_ = true;
    }
}

void HostConsole::typed(std::string_view bytes)
{
    if (input_ == Input::terminal && bytes.find(leave_key) != std::string_view::npos) {
        if (tap_)
            tap_->left();
        machine_.power_off(left_status);
    }
    if (input_ == Input::terminal)
        return arrives(bytes);
    // What the console would take for a key is sent as the byte it is.
    std::string literal;
    for (auto const byte : bytes) {
        if (byte == interrupt_key || byte == end_of_input || byte == literal_key)
            literal += literal_key;
        literal += byte;
    }
    arrives(literal);
}

void HostConsole::ended()
{
    arrives({ &end_of_input, 1 });
}

void HostConsole::arrives(std::string_view bytes)
{
    if (tap_)
        tap_->typed(bytes);
    uart_.type(bytes);
}

void HostConsole::sends(std::string_view bytes)
{
    if (tap_)
        tap_->shown(bytes);
    filter_.take(bytes);
}

void HostConsole::idle()
{
    flush();
    if (paused_ && uart_.untaken() == 0) {
        paused_ = false;
        listen(true);
    }
}

void HostConsole::show(std::string_view text)
{
    output_ += text;
    if (output_.size() >= output_bytes_max || text.find('\n') != std::string_view::npos)
        flush();
}

void HostConsole::flush()
{
    std::string_view left = output_;
    while (!left.empty()) {
        auto const written = ::write(STDOUT_FILENO, left.data(), left.size());
        if (written < 0 && errno != EINTR)
            break; // nobody reads any more: the machine goes on
        if (written > 0)
            left.remove_prefix(static_cast<std::size_t>(written));
    }
    output_.clear();
}

} // namespace gemel::cli
