#include "frontends/cli/replay_debugger.hpp"

#include "frontends/cli/options.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/travel/inside.hpp"
#include "frontends/travel/stub.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/personality.h>
#include <system_error>
#include <unistd.h>

namespace gemel::cli {

namespace {

std::string own_path()
{
    char self[4096] = {};
    if (::readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return "/proc/self/exe";
    return self;
}

// For the shell that gdb starts its other side with.
std::string quoted(std::string const& word)
{
    std::string text = "'";
    for (auto const letter : word)
        if (letter == '\'')
            text += "'\\''";
        else
            text += letter;
    return text + "'";
}

} // namespace

int replay_in_debugger(ReplayOptions const& options)
{
    // Inherited by whoever gdb starts: addresses that are the same each time.
    ::personality(ADDR_NO_RANDOMIZE);
    auto const self = own_path();
    auto const setting = [](char const* words) {
        return std::vector<std::string> { "-iex", words };
    };
    std::vector<std::string> words { "gdb", "-q" };
    // The libraries are this host's own, and nothing is to be asked of the network.
    for (auto const* each : { "set debuginfod enabled off", "set sysroot /", "set confirm off" })
        for (auto& word : setting(each))
            words.push_back(word);
    std::vector<std::string> commands { "directory " + repository(),
        "source " + repository() + "/frontends/gdb/gemel_gdb.py",
        "python gemel_travel.connect(r\"\"\"exec " + quoted(self) + " replay "
            + quoted(options.file) + " --serve\"\"\")",
        options.to.empty() ? "tt failure" : "tt goto " + options.to };
    if (!options.commands.empty()) {
        words.push_back("-batch");
        commands.insert(commands.end(), options.commands.begin(), options.commands.end());
    }
    for (auto const& command : commands) {
        words.push_back("-ex");
        words.push_back(command);
    }
    words.push_back(self);
    std::vector<char*> pointers;
    for (auto& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    ::execvp("gdb", pointers.data());
    std::fprintf(stderr, "gemel: gdb cannot be started: %s. Install the package gdb.\n",
        std::strerror(errno));
    return exit_failed;
}

int serve_replay(SimHost const& host, SimSpec const& spec, SimWay const& way)
{
    auto here = way;
    here.each_event = travel::at_event;
    try {
        return travel::serve_debugger([&] { host.run_here(spec, here); });
    } catch (std::system_error const& error) {
        std::fprintf(stderr, "gemel: the replay cannot be debugged: %s\n", error.what());
        return exit_failed;
    }
}

} // namespace gemel::cli
