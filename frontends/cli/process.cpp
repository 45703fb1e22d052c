#include "frontends/cli/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr int not_found = 127;

void move_to(int descriptor, int place)
{
    if (descriptor != place)
        ::dup2(descriptor, place);
}

// In the child. What went wrong is written to `told`, which a program that begins closes.
[[noreturn]] void become(char* const* arguments, int output, int errors, pid_t parent, int told)
{
    move_to(output, STDOUT_FILENO);
    move_to(errors, STDERR_FILENO);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent)
        ::_exit(not_found); // it ended in the meantime
    ::execvp(arguments[0], arguments);
    auto const why = errno;
    (void)!::write(told, &why, sizeof why);
    ::_exit(not_found);
}

} // namespace

pid_t start_program(std::vector<std::string> const& words, int output, int errors)
{
    std::vector<char*> arguments;
    for (auto const& word : words)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);

    int told[2];
    if (::pipe2(told, O_CLOEXEC) != 0)
        return -1;
    auto const parent = ::getpid();
    auto const process = ::fork();
    if (process == 0)
        become(arguments.data(), output, errors, parent, told[1]);
    auto why = errno;
    ::close(told[1]);
    auto const failed = process < 0 || ::read(told[0], &why, sizeof why) == sizeof why;
    ::close(told[0]);
    if (!failed)
        return process;
    if (process > 0)
        (void)wait_for(process);
    errno = why;
    return -1;
}

int wait_for(pid_t process)
{
    int status = 0;
    while (::waitpid(process, &status, 0) < 0) {
        if (errno != EINTR)
            return not_found;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_program(std::vector<std::string> const& words)
{
    auto const process = start_program(words, STDOUT_FILENO);
    return process < 0 ? not_found : wait_for(process);
}

std::string find_program(std::string const& name)
{
    auto const* path = ::getenv("PATH");
    std::string rest = path != nullptr ? path : "/usr/bin:/bin";
    while (!rest.empty()) {
        auto const colon = rest.find(':');
        auto const candidate = rest.substr(0, colon) + "/" + name;
        if (::access(candidate.c_str(), X_OK) == 0)
            return candidate;
        rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
    }
    return "";
}

} // namespace gemel::cli
