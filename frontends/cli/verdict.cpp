#include "frontends/cli/verdict.hpp"

#include "frontends/cli/place.hpp"
#include "frontends/cli/process.hpp"
#include "frontends/cli/signature.hpp"

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace gemel::cli {

namespace {

constexpr int status_missing = 127;

} // namespace

char const* name_of(Verdict verdict)
{
    switch (verdict) {
    case Verdict::inconclusive:
        return "INCONCLUSIVE";
    case Verdict::passed:
        return "ok";
    case Verdict::failed:
        return "FAIL";
    case Verdict::leaked:
        return "LEAK";
    }
    return "?";
}

std::string failure_line(SimSpec const& spec, SimResult const& result)
{
    auto const& failure = result.failure;
    char seed[24];
    std::snprintf(seed, sizeof seed, "0x%llx", static_cast<unsigned long long>(spec.seed));
    return std::string { name_of(result.verdict) } + " " + failure.check + "  \""
        + with_lines(failure.what) + "\"  t=" + time_text(failure.time_ns) + "  event "
        + std::to_string(failure.event) + "  task " + (failure.task.empty() ? "-" : failure.task)
        + "  seed " + seed + "  L1 " + text_of(result.l1);
}

void show_result(SimSpec const& spec, SimResult const& result)
{
    if (result.verdict == Verdict::passed)
        std::printf("seed 0x%llx ran without a failure  L1 %s  t=%s\n",
            static_cast<unsigned long long>(spec.seed), text_of(result.l1).c_str(),
            time_text(result.time_ns).c_str());
    else
        std::printf("%s\n  kind:    %s\n", failure_line(spec, result).c_str(),
            signature_of(result.failure).c_str());
}

bool judge_disk(SimResult& result)
{
    auto const path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(result.disk);
    auto const quiet = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    auto const found = find_program("e2fsck");
    auto const process
        = start_program({ found.empty() ? "/sbin/e2fsck" : found, "-fn", path }, quiet, quiet);
    auto const status = process < 0 ? status_missing : wait_for(process);
    ::close(quiet);
    ::close(std::exchange(result.disk, -1));
    if (status == status_missing)
        return false;
    if (status != 0 && result.verdict == Verdict::passed) {
        result.verdict = Verdict::failed;
        result.failure = { std::string { e2fsck_check },
            "e2fsck -fn ends with " + std::to_string(status), "", result.time_ns, result.events };
    }
    return true;
}

void tell_open_jail(SimResult const& result)
{
    if (!result.not_jailed.empty())
        std::fprintf(stderr,
            "gemel: NOT JAILED: this host refuses %s. A system call that is no function of the "
            "seed would pass unseen (docs/simulator.md)\n",
            result.not_jailed.c_str());
}

} // namespace gemel::cli
