#include "frontends/cli/other_build.hpp"

#include "frontends/cli/journal_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/process.hpp"

#include <gemel/arch/user.hpp>
#include <gemel/hosted/edges.hpp>
#include <gemel/hosted/system.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace gemel::cli {

namespace {

struct Preset {
    char const* name;
    char const* needed_for;
    char const* how;
};

Preset preset_of(OtherBuild build)
{
    if (build == OtherBuild::races)
        return { "hosted-tsan", "seeing races between tasks", "by g++ with ThreadSanitizer" };
    return { "hosted-preempt", "stopping threads inside their code",
        "by clang: apt-get install clang-16 llvm-16-dev, then again" };
}

} // namespace

std::optional<OtherBuild> other_build_of(std::string const& journal)
{
    std::string note;
    auto const read = read_journal(journal, note);
    if (read && read->preempts)
        return OtherBuild::edges;
    if (read && read->races)
        return OtherBuild::races;
    return std::nullopt;
}

bool is_here(OtherBuild build)
{
    return build == OtherBuild::edges ? hosted::counts_edges : arch::watches_races;
}

int go_on_in(OtherBuild build, std::vector<std::string> words)
{
    auto const preset = preset_of(build);
    if (run_program({ repository() + "/scripts/build.sh", preset.name, "gemel" }) != 0) {
        std::fprintf(stderr, "gemel: %s needs the build %s, %s.\n", preset.needed_for, preset.name,
            preset.how);
        return exit_failed;
    }
    words[0] = repository() + "/build/" + preset.name + "/frontends/cli/gemel";
    std::vector<char*> pointers;
    for (auto& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    std::fflush(nullptr);
    ::execv(words[0].c_str(), pointers.data());
    std::fprintf(stderr, "gemel: %s: %s\n", words[0].c_str(), std::strerror(errno));
    return exit_failed;
}

} // namespace gemel::cli
