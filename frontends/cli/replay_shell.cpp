#include "frontends/cli/replay_shell.hpp"

#include "frontends/cli/host_clock.hpp"
#include "frontends/cli/host_console.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/terminal.hpp"

#include <gemel/hosted/jail.hpp>

#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr usize shown_bytes_max = 4096; // of what the session had shown by then
constexpr u64 killed_slack_ns = 60'000'000'000; // the host writes a killed file's time late

// The image that the session ran on, if it still holds what it held: -1 and a word to the user
// otherwise.
int base_image(ReadRecording const& read)
{
    auto const& start = read.recording.start;
    auto const descriptor = ::open(start.image.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status { };
    if (descriptor >= 0 && ::fstat(descriptor, &status) == 0
        && ::flock(descriptor, LOCK_SH | LOCK_NB) == 0) {
        auto const changed = static_cast<u64>(status.st_mtim.tv_sec) * 1'000'000'000
            + static_cast<u64>(status.st_mtim.tv_nsec);
        if (changed == start.image_changed_ns || changed == read.image_changed_ns
            || (!read.has_end && changed <= read.file_changed_ns + killed_slack_ns))
            return descriptor;
    }
    if (descriptor >= 0)
        ::close(descriptor);
    std::fprintf(stderr,
        "gemel: %s is not what it was: files that the session never read cannot be read\n",
        start.image.c_str());
    return -1;
}

class Shell {
public:
    Shell(ReadRecording const& read, sim::Setup& setup, Input input)
        : input_(input)
        , base_(base_image(read))
        , filter_(read.recording.start.boot_hidden != 0 ? BootText::hide : BootText::show,
              input == Input::terminal ? Use::prompt : Use::script,
              [this](std::string_view text) { show(text); })
        , session_(read.recording, setup)
    {
        session_.on_over([this] { go_on(); });
    }
    ~Shell()
    {
        if (base_ >= 0)
            ::close(base_);
    }
    Shell(Shell const&) = delete;
    Shell& operator=(Shell const&) = delete;

    void go_on();
    int run();

private:
    void show(std::string_view text);
    bool read_base(u64 offset, u8* to, u32 bytes) const
    {
        return base_ >= 0 && hosted::read_at(base_, to, bytes, offset) == hosted::FileOutcome::done;
    }

    Input input_;
    int base_;
    SerialFilter filter_;
    sim::PlayedSession session_;
    std::optional<HostConsole> console_;
    std::string before_; // what the session had shown
};

void Shell::show(std::string_view text)
{
    if (console_)
        console_->show(text);
    else
        before_ += text;
}

// The keyboard is the user's from here, and so is the end of what the session had shown.
void Shell::go_on()
{
    filter_.take(session_.console());
    session_.go_on([this](u64 offset, u8* to, u32 bytes) { return read_base(offset, to, bytes); },
        [] { return host_seconds(); });
    console_.emplace(session_.system().machine(), filter_, input_, session_.uart());
    session_.on_output([this](std::string_view text) { console_->sends(text); });
    console_->show(std::string_view { before_ }.substr(
        before_.size() - std::min(before_.size(), shown_bytes_max)));
    console_->flush();
}

int Shell::run()
{
    auto const outcome = session_.run();
    if (!session_.went_on()) {
        auto const& failure = outcome.failure;
        std::fprintf(stderr, "gemel: the session is over at %s%s: say an earlier --to\r\n",
            time_text(outcome.time_ns).c_str(), failure ? (": " + failure->what).c_str() : "");
        return exit_failed;
    }
    filter_.finish();
    console_->flush();
    return outcome.status;
}

} // namespace

int replay_shell(ReadRecording const& read, sim::Setup setup, SimWay const& way)
{
    auto const interactive = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
    std::optional<Shell> shell;
    setup.stop_event = way.stop_event;
    setup.stop_ns = way.stop_ns;
    if (read.off_by_itself && way.stop_event == 0 && way.stop_ns == 0)
        setup.stop_ns = read.last_key_ns;
    setup.stopped = [&shell] { shell->go_on(); };
    if (interactive)
        std::fprintf(
            stderr, "gemel: into the past, on a copy of its disk; Ctrl-] ends it at once.\n");
    auto const terminal = interactive ? RawTerminal::enter() : std::nullopt;
    hosted::FixedProtectorWords const words; // as where it was recorded
    shell.emplace(read, setup, terminal ? Input::terminal : Input::stream);
    return shell->run();
}

} // namespace gemel::cli
