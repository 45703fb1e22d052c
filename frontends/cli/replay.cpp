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
#include "sim/replay/shrink.hpp"

#include <cstdio>

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
    std::printf("FAIL %s  \"%s\"  t=%s  event %llu  task %s  seed 0x%llx  L1 %s\n",
        result.failure.check.c_str(), with_lines(result.failure.what).c_str(),
        time_text(result.failure.time_ns).c_str(),
        static_cast<unsigned long long>(result.failure.event),
        result.failure.task.empty() ? "-" : result.failure.task.c_str(),
        static_cast<unsigned long long>(spec.seed), text_of(result.l1).c_str());
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
        char* end = nullptr;
        way.stop_event = std::strtoull(to.c_str() + event.size(), &end, 10);
        if (*end == 0 && way.stop_event != 0)
            return true;
        std::fprintf(stderr, "gemel: --to %s: say event:N with N from 1 on\n", to.c_str());
        return false;
    }
    auto const time = nanoseconds_of(to);
    way.stop_ns = time.value_or(0);
    return time.has_value();
}

} // namespace

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
    auto const spec = spec_of(*journal);
    if (options.serve)
        return serve_replay(*host, spec, way);
    auto const result = host->run(spec, way);
    if (options.console)
        std::printf("%s", result.console.c_str());
    show_result(spec, result);
    auto const traced = !options.trace_text.empty() || !options.trace.empty();
    if (traced && !write_traces(way.events, options.trace_text, options.trace))
        return exit_failed;
    if (way.stop_event != 0 || way.stop_ns != 0)
        return exit_ok;
    if (!(result.l1 == journal->l1)) {
        std::printf(
            "DIFFERENT: the journal says L1 %s. It was made by another build, or something is "
            "no function of the seed (gemel sim --seed %llu --workload %s --twice).\n",
            text_of(journal->l1).c_str(), static_cast<unsigned long long>(spec.seed),
            spec.workload.c_str());
        return exit_nondeterminism;
    }
    return result.verdict == Verdict::passed ? exit_ok : exit_failed;
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
