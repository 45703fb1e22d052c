// `gemel umount`: ends a mount and waits until its process has written everything.
#include "frontends/cli/mount_outcome.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/process.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr int wait_seconds_max = 60;
constexpr int wait_step_ms = 20;
constexpr int wait_steps_max = wait_seconds_max * 1000 / wait_step_ms;

int fail(std::string const& what)
{
    std::fprintf(stderr, "gemel: %s\n", what.c_str());
    return exit_failed;
}

// The mounting process holds the image's lock until it has written everything; several may read.
bool wait_for_image(std::string const& image)
{
    auto const descriptor = ::open(image.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return true;
    bool free = false;
    for (int step = 0; !free && step < wait_steps_max; ++step) {
        free = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0;
        if (!free)
            ::usleep(wait_step_ms * 1000);
    }
    ::close(descriptor);
    return free;
}

// Not to be asked of a mount whose process lives: it may be a while until it answers.
bool has_nobody_behind(std::string const& directory)
{
    struct stat status { };
    return ::stat(directory.c_str(), &status) != 0 && errno == ENOTCONN;
}

int take_away(std::string const& directory, WhenBusy busy)
{
    auto const lazy = busy == WhenBusy::detach;
    if (::geteuid() == 0) {
        if (::umount2(directory.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
            return exit_ok;
        if (errno == EBUSY)
            return fail(directory
                + " is in use. End what uses it (fuser -m tells), or: gemel umount --lazy "
                + directory);
        return fail(directory + " cannot be unmounted: " + std::strerror(errno) + ".");
    }
    std::vector<std::string> words { "fusermount3", "-u", directory };
    if (lazy)
        words.insert(words.begin() + 2, "-z");
    auto const status = run_program(words);
    if (status == 127)
        return fail("fusermount3 is missing (package fuse3).");
    return status == 0 ? exit_ok : exit_failed;
}

// The mount is gone from its directory: whether everything is on the image.
int last_word(HostMount const& mount, OutcomeWaiter& waiter)
{
    using Kind = OutcomeWaiter::Kind;
    auto const outcome = waiter.wait(wait_seconds_max);
    if (outcome.kind == Kind::bad)
        return fail(mount.source + " was not written to the end: " + outcome.failure);
    if (outcome.kind == Kind::ended && mount.access == Access::read_write)
        return fail(mount.source + ": the mounting process ended before everything was written.");
    if (outcome.kind == Kind::late || !wait_for_image(mount.source))
        return fail(mount.source + " is still being written after a minute.");
    return exit_ok;
}

} // namespace

int umount_directory(UmountOptions const& options)
{
    // A mount whose process died cannot even be looked at: its name is all there is.
    auto* const real = ::realpath(options.directory.c_str(), nullptr);
    std::string directory = real != nullptr ? real : options.directory;
    std::free(real);
    while (directory.size() > 1 && directory.back() == '/')
        directory.pop_back();
    auto const mount = mount_at(directory);
    if (!mount || mount->type != "fuse.gemel")
        return fail("nothing of Gemel's is mounted on " + directory + ".");
    OutcomeWaiter waiter(*mount);
    auto const is_dead = !waiter.waits() && has_nobody_behind(directory);
    if (auto const status = take_away(directory, options.busy); status != exit_ok)
        return status;
    if (is_dead && mount->access == Access::read_write)
        return fail(mount->source
            + ": the mounting process had ended; what was written last may be missing.");
    return options.busy == WhenBusy::detach ? exit_ok : last_word(*mount, waiter);
}

} // namespace gemel::cli
