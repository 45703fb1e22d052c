// `gemel replay`: a run from its journal, again, or in a debugger.
#include "frontends/cli/comparison.hpp"
#include "frontends/cli/event_file.hpp"
#include "frontends/cli/journal_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/recording_file.hpp"
#include "frontends/cli/replay_debugger.hpp"
#include "frontends/cli/sim.hpp"
#include "frontends/cli/verdict.hpp"

#include <cstdio>
#include <cstdlib>

namespace gemel::cli {

namespace {

// Whether what came out is what the journal says. "" or the reason, for people.
std::string difference(sim::Journal const& journal, SimSpec const& spec, SimResult const& result)
{
    auto const has_l1 = !(journal.l1 == sim::Hash { 0, 0 });
    if (has_l1 && !(result.l1 == journal.l1))
        return "the journal says L1 " + text_of(journal.l1)
            + ". It was made by another build, or something is no function of the seed (gemel sim "
              "--seed "
            + std::to_string(spec.seed) + " --workload " + spec.workload + " --twice)";
    auto const& failure = result.failure;
    if (journal.check == failure.check && journal.task == failure.task
        && journal.what_hash == sim::failure_hash(failure.what))
        return "";
    if (journal.check.empty())
        return "the journal is of a run that did not fail";
    return "the journal says " + journal.check + "  \"" + journal.what + "\"  task "
        + (journal.task.empty() ? "-" : journal.task)
        + ". Something that the failure depends on is neither in the journal nor in L1";
}

// Null after a message.
std::optional<sim::Journal> load(std::string const& path)
{
    std::string note;
    auto const journal = read_journal(path, note);
    if (!note.empty())
        std::fprintf(stderr, "gemel: %s: %s\n", path.c_str(), note.c_str());
    return journal;
}

// --to, into `way`. False after a message.
bool stop_of(std::string const& to, SimWay& way)
{
    constexpr std::string_view event = "event:";
    if (to.empty())
        return true;
    if (to.starts_with(event)) {
        auto const digits = to.substr(event.size());
        way.stop_event = std::strtoull(digits.c_str(), nullptr, 10);
        if (digits.find_first_not_of("0123456789") == std::string::npos && way.stop_event != 0)
            return true;
        std::fprintf(stderr, "gemel: --to %s: say event:N with N from 1 on\n", to.c_str());
        return false;
    }
    auto const time = nanoseconds_of(to);
    way.stop_ns = time.value_or(0);
    if (time && way.stop_ns == 0)
        std::fprintf(stderr, "gemel: --to %s: say a time after 0, or event:1\n", to.c_str());
    return way.stop_ns != 0;
}

// Of a journal that says so: two runs of it are not equal.
int replay_beside_itself(SimHost const& host, SimSpec const& spec)
{
    SimFarm farm { host, 1 };
    SimWay way;
    way.process = Process::executed;
    auto const result = host.run(spec, way);
    auto const hashes = difference_to_itself(host, farm, spec, way, result);
    if (!hashes.empty())
        std::printf("%s\n", difference_line(spec, hashes).c_str());
    show_result(spec, hashes.empty() ? result : as_different(result));
    if (!hashes.empty())
        return exit_nondeterminism;
    return result.verdict == Verdict::passed ? exit_ok : exit_failed;
}

} // namespace

bool came_to_stop(std::string const& to, SimResult const& result)
{
    if (!result.stopped)
        std::fprintf(stderr, "gemel: --to %s is behind the end of the run: event %llu, t=%s\n",
            to.c_str(), static_cast<unsigned long long>(result.events),
            time_text(result.time_ns).c_str());
    return result.stopped;
}

bool way_of(ReplayOptions const& options, SimWay& way)
{
    way.events
        = options.events.empty() ? events_for(options.trace_text, options.trace) : options.events;
    way.perturbation.heap_fill = options.heap_fill;
    return stop_of(options.to, way);
}

int replay(ReplayOptions const& options)
{
    if (is_recording_file(options.file))
        return replay_recording(options);
    auto const journal = load(options.file);
    if (!journal)
        return exit_failed;
    SimWay way;
    if (!way_of(options, way))
        return exit_usage;
    if (options.gdb)
        return replay_in_debugger(options);
    auto const host = SimHost::open();
    if (!host)
        return exit_failed;
    auto spec = spec_of(*journal);
    spec.processor_seconds_max = options.processor_seconds;
    if (options.serve)
        return serve_replay(*host, spec, way);
    auto const goes_on = way.events.empty() && way.stop_event == 0 && way.stop_ns == 0;
    if (journal->check == different_check && goes_on)
        return replay_beside_itself(*host, spec);
    if (journal->check == e2fsck_check)
        way.disk = DiskAfter::kept;
    auto result = host->run(spec, way);
    if (result.disk >= 0 && !judge_disk(result))
        std::fprintf(stderr, "gemel: e2fsck is missing (package e2fsprogs): it is not asked\n");
    tell_open_jail(result);
    if (options.console)
        std::printf("%s", result.console.c_str());
    show_result(spec, result);
    auto const traced = !options.trace_text.empty() || !options.trace.empty();
    if (traced && !write_traces(way.events, options.trace_text, options.trace))
        return exit_failed;
    if (way.stop_event != 0 || way.stop_ns != 0)
        return came_to_stop(options.to, result) ? exit_ok : exit_failed;
    if (auto const other = difference(*journal, spec, result); !other.empty()) {
        std::printf("DIFFERENT: %s.\n", other.c_str());
        return exit_nondeterminism;
    }
    return result.verdict == Verdict::passed ? exit_ok
        : result.verdict == Verdict::leaked  ? exit_nondeterminism
                                             : exit_failed;
}

} // namespace gemel::cli
