#include "frontends/cli/edges_build.hpp"

#include "frontends/cli/journal_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/process.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr char const* preset = "hosted-preempt";

} // namespace

bool is_of_edges_build(std::string const& journal)
{
    std::string note;
    auto const read = read_journal(journal, note);
    return read && read->preempts;
}

int go_on_in_edges_build(std::vector<std::string> words)
{
    if (run_program({ repository() + "/scripts/build.sh", preset, "gemel" }) != 0) {
        std::fprintf(stderr,
            "gemel: stopping threads inside their code needs the build %s, by clang: apt-get "
            "install clang-16 llvm-16-dev, then again.\n",
            preset);
        return exit_failed;
    }
    words[0] = repository() + "/build/" + preset + "/frontends/cli/gemel";
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
