#include "frontends/cli/mount_place.hpp"

#include "frontends/cli/process.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace gemel::cli {

std::optional<std::string> refuse_place(std::string const& directory, MountWords const& words)
{
    struct stat status { };
    if (::stat(directory.c_str(), &status) != 0) {
        if (errno == ENOTCONN)
            return directory + " is a mount whose process ended. First: gemel umount " + directory;
        return directory + " cannot be used: " + std::strerror(errno)
            + (errno == ENOENT ? ". Make it first: mkdir " + directory : std::string("."));
    }
    if (!S_ISDIR(status.st_mode))
        return directory + " is not a directory.";
    if (!words.nonempty && !directory_is_empty(directory))
        return directory + " is not empty. Mount on an empty directory, or say -o nonempty.";
    if (::access("/dev/fuse", F_OK) != 0)
        return "/dev/fuse is not here. Load it (modprobe fuse), or give the container that device.";
    if (::geteuid() != 0 && find_program("fusermount3").empty())
        return "fusermount3 is missing: an ordinary user mounts through it (package fuse3).";
    return std::nullopt;
}

std::string real_directory(std::string const& directory)
{
    auto* const real = ::realpath(directory.c_str(), nullptr);
    std::string found = real != nullptr ? real : directory;
    std::free(real);
    return found;
}

bool open_fuse_session(fuse::GateDevice& gate, MountWords const& words, std::string const& image)
{
    auto const all = fuse_words(words, image);
    std::vector<char*> arguments { const_cast<char*>("gemel") };
    for (auto const& word : all)
        arguments.push_back(const_cast<char*>(word.c_str()));
    fuse_args given = FUSE_ARGS_INIT(static_cast<int>(arguments.size()), arguments.data());
    auto const opened = gate.open_session(given);
    fuse_opt_free_args(&given);
    return opened;
}

} // namespace gemel::cli
