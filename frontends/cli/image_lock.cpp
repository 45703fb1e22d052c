#include "frontends/cli/image_lock.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

// "gemel (process 1234)": from /proc/locks (proc(5)), whose lines end in PID DEVICE:INODE START
// END.
std::string holder_of(struct stat const& image)
{
    char wanted[64];
    std::snprintf(wanted, sizeof wanted, "%02x:%02x:%llu", major(image.st_dev), minor(image.st_dev),
        static_cast<unsigned long long>(image.st_ino));
    std::ifstream locks { "/proc/locks" };
    for (std::string line; std::getline(locks, line);) {
        std::istringstream words { line };
        std::string number, kind, rule, access, process, place;
        words >> number >> kind >> rule >> access >> process >> place;
        if (kind != "FLOCK" || place != wanted || process == std::to_string(::getpid()))
            continue;
        std::string name;
        std::ifstream { "/proc/" + process + "/comm" } >> name;
        return (name.empty() ? "somebody" : name) + " (process " + process + ")";
    }
    return "another process";
}

} // namespace

std::optional<std::string> lock_image(int descriptor, std::string const& path, Access access)
{
    auto const kind = access == Access::read_write ? LOCK_EX : LOCK_SH;
    if (::flock(descriptor, kind | LOCK_NB) == 0)
        return std::nullopt;
    if (errno != EWOULDBLOCK)
        return path + " cannot be locked: " + std::strerror(errno) + ".";
    struct stat status { };
    ::fstat(descriptor, &status);
    return path + " is in use by " + holder_of(status) + ".";
}

} // namespace gemel::cli
