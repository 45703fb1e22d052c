// `gemel umount`: ends a mount and waits until its process has written everything.
#include "frontends/cli/options.hpp"
#include "frontends/cli/process.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr int wait_step_ms = 20;
constexpr int wait_steps_max = 60'000 / wait_step_ms;

int fail(std::string const& what)
{
    std::fprintf(stderr, "gemel: %s\n", what.c_str());
    return exit_failed;
}

// mountinfo writes blanks and backslashes as octal (proc(5)).
std::string plain(std::string const& text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && at + 3 < text.size()) {
            out += static_cast<char>(std::strtol(text.substr(at + 1, 3).c_str(), nullptr, 8));
            at += 3;
        } else {
            out += text[at];
        }
    }
    return out;
}

// The image behind the mount of ours that is uppermost at `directory`; null: there is none.
std::optional<std::string> mounted_image(std::string const& directory)
{
    std::optional<std::string> image;
    std::ifstream mounts { "/proc/self/mountinfo" };
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words { line };
        std::string word, place;
        for (int skipped = 0; skipped < 4; ++skipped)
            words >> word;
        words >> place;
        while (words >> word && word != "-") { }
        std::string type, source;
        words >> type >> source;
        if (plain(place) == directory)
            image = type == "fuse.gemel" ? std::optional(plain(source)) : std::nullopt;
    }
    return image;
}

// The mounting process holds the image's lock until it has written everything.
bool wait_for_image(std::string const& image)
{
    auto const descriptor = ::open(image.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return true;
    bool free = false;
    for (int step = 0; !free && step < wait_steps_max; ++step) {
        free = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
        if (!free)
            ::usleep(wait_step_ms * 1000);
    }
    ::close(descriptor);
    return free;
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
    auto const image = mounted_image(directory);
    if (!image)
        return fail("nothing of Gemel's is mounted on " + directory + ".");
    auto const lazy = options.busy == WhenBusy::detach;
    if (::geteuid() == 0) {
        if (::umount2(directory.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) != 0) {
            if (errno == EBUSY)
                return fail(directory
                    + " is in use. End what uses it (fuser -m tells), or: gemel umount --lazy "
                    + directory);
            return fail(directory + " cannot be unmounted: " + std::strerror(errno) + ".");
        }
    } else {
        std::vector<std::string> words { "fusermount3", "-u", directory };
        if (lazy)
            words.insert(words.begin() + 2, "-z");
        if (auto const status = run_program(words); status != 0)
            return status == 127 ? fail("fusermount3 is missing (package fuse3).") : exit_failed;
    }
    if (!lazy && !wait_for_image(*image))
        return fail(*image + " is still being written after a minute.");
    return exit_ok;
}

} // namespace gemel::cli
