#include "frontends/cli/process.hpp"

#include <cerrno>
#include <cstdlib>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace gemel::cli {

pid_t start_program(std::vector<std::string> const& words, int output, int errors)
{
    std::vector<char*> arguments;
    for (auto const& word : words)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (output != STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (errors != STDERR_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    pid_t process = -1;
    auto const error
        = posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return process;
}

int wait_for(pid_t process)
{
    int status = 0;
    while (::waitpid(process, &status, 0) < 0) {
        if (errno != EINTR)
            return 127;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_program(std::vector<std::string> const& words)
{
    auto const process = start_program(words, STDOUT_FILENO);
    return process < 0 ? 127 : wait_for(process);
}

std::vector<std::string> ending_with_us(std::vector<std::string> words)
{
    auto const setpriv = find_program("setpriv");
    if (!setpriv.empty())
        words.insert(words.begin(), { setpriv, "--pdeathsig", "TERM" });
    return words;
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
