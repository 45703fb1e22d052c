// `gemel replay` and `gemel shrink`: a run from its journal, again, in a debugger, or smaller.
#include "frontends/cli/event_file.hpp"
#include "frontends/cli/journal_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/place.hpp"
#include "frontends/cli/recording_file.hpp"
#include "frontends/cli/replay_debugger.hpp"
#include "frontends/cli/signature.hpp"
#include "frontends/cli/sim.hpp"
#include "frontends/cli/sim_farm.hpp"
#include "frontends/cli/verdict.hpp"
#include "sim/replay/shrink.hpp"

#include <cstdio>
#include <cstdlib>

namespace gemel::cli {

namespace {

void show_result(SimSpec const& spec, SimResult const& result)
{
    if (result.verdict == Verdict::passed) {
        std::printf("seed 0x%llx ran without a failure  L1 %s  t=%s\n",
            static_cast<unsigned long long>(spec.seed), text_of(result.l1).c_str(),
            time_text(result.time_ns).c_str());
        return;
    }
    std::printf("%s\n", failure_line(spec, result).c_str());
}

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

std::string decision_words(sim::Decision const& decision, std::vector<sim::Stop> const& stops)
{
    for (auto const& stop : stops)
        if (decision.key == sim::Key { sim::Kind::preempt, stop.thread, stop.edge })
            return words_of(stop);
    char text[128];
    auto const& key = decision.key;
    auto const is_turn = key.kind == sim::Kind::schedule || key.kind == sim::Kind::processor;
    auto const* about = is_turn ? "thread after whose call" : "entity";
    // A site's entity is a hash: nothing can be told apart in it.
    auto const boots = key.kind == sim::Kind::site ? 0 : key.entity >> sim::boot_shift;
    auto const entity = key.entity ^ boots << sim::boot_shift;
    auto const length = std::snprintf(text, sizeof text, "%s: %s %u, its number %u -> %u",
        name_of(key.kind), about, entity, key.ordinal, decision.value);
    if (boots != 0)
        std::snprintf(
            text + length, sizeof text - static_cast<usize>(length), ", after power cut %u", boots);
    return text;
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

int shrink_journal(ShrinkOptions const& options)
{
    auto const journal = load(options.file);
    auto const host = journal ? SimHost::open() : std::nullopt;
    if (!host)
        return exit_failed;
    auto spec = spec_of(*journal);
    auto const first = host->run(spec);
    if (first.verdict != Verdict::failed) {
        std::printf("nothing to shrink: ");
        show_result(spec, first);
        return exit_failed;
    }
    SimFarm farm { *host, 1 };
    auto const signature = signature_of(first.failure);
    auto const fails = [&](std::vector<sim::Decision> const& decisions) {
        auto candidate = spec;
        candidate.decisions = decisions;
        auto const result = farm.run(candidate);
        return result.verdict == Verdict::failed && signature_of(result.failure) == signature;
    };
    if (!fails(first.decisions)) {
        std::printf("the failure is not one of its decisions alone: it cannot be shrunk\n");
        return exit_failed;
    }
    auto const shrunk = sim::shrink(first.decisions, fails, options.runs_max);
    spec.decisions = shrunk.decisions;
    auto const last = host->run(spec);
    auto const file = options.to.empty() ? options.file : options.to;
    if (!write_journal(file, spec, last, JournalSize::whole))
        return exit_failed;
    show_result(spec, last);
    std::printf("  shrunk %zu decisions -> %zu in %u runs\n", first.decisions.size(),
        shrunk.decisions.size(), shrunk.runs);
    for (auto const& decision : shrunk.decisions)
        std::printf("    %s\n", decision_words(decision, last.stops).c_str());
    std::printf("  replay:  gemel replay %s --gdb\n", file.c_str());
    return exit_ok;
}

} // namespace gemel::cli
