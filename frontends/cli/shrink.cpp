// `gemel shrink`: fewer decisions that end in the same way, whichever way that is.
#include "sim/replay/shrink.hpp"
#include "frontends/cli/comparison.hpp"
#include "frontends/cli/journal_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/place.hpp"
#include "frontends/cli/signature.hpp"
#include "frontends/cli/sim.hpp"
#include "frontends/cli/verdict.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace gemel::cli {

namespace {

using Clock = std::chrono::steady_clock;

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

// Runs of one journal's kind, and whether they end as the first did.
class Attempts {
public:
    Attempts(SimHost const& host, SimSpec spec, std::string check, u64 time_ns_max)
        : host_(host)
        , farm_(host, 1)
        , spec_(std::move(spec))
        , check_(std::move(check))
        , end_(Clock::now() + std::chrono::nanoseconds { time_ns_max })
        , has_end_(time_ns_max != 0)
    {
    }

    // As the journal's run was judged: by e2fsck too, or beside itself.
    SimResult run(SimSpec const& spec)
    {
        SimWay way;
        if (check_ == e2fsck_check) {
            way.disk = DiskAfter::kept;
            auto result = farm_.run(spec, way);
            judge_disk(result);
            return result;
        }
        if (check_ != different_check)
            return farm_.run(spec);
        way.process = Process::executed;
        auto const result = host_.run(spec, way);
        auto const is_equal = difference_to_itself(host_, farm_, spec, way, result).empty();
        return is_equal ? result : as_different(result);
    }

    // What the shrunk run has to be like. Of a loop nothing is known before its time is over, so
    // that candidates get little of it at first.
    SimResult const& first()
    {
        auto const begun = Clock::now();
        first_ = run(spec_);
        auto const took = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun);
        seconds_ = first_.verdict == Verdict::inconclusive ? 1 : 1 + 4 * (1 + took.count());
        return first_;
    }
    bool is_same(SimResult const& result) const
    {
        return result.verdict == first_.verdict
            && signature_of(result.failure) == signature_of(first_.failure);
    }
    bool is_over() const { return has_end_ && Clock::now() > end_; }
    bool still_fails(std::vector<sim::Decision> const& decisions)
    {
        if (is_over())
            return false;
        ++runs_;
        auto candidate = spec_;
        candidate.decisions = decisions;
        candidate.processor_seconds_max = std::min(seconds_, spec_.processor_seconds_max);
        return is_same(run(candidate));
    }
    // False: candidates had all the time that there is.
    bool take_more_time()
    {
        auto const had_less = seconds_ < spec_.processor_seconds_max;
        seconds_ *= 8;
        return had_less;
    }
    u32 runs() const { return runs_; }

private:
    SimHost const& host_;
    SimFarm farm_;
    SimSpec spec_;
    std::string check_;
    Clock::time_point end_;
    bool has_end_;
    SimResult first_;
    u64 seconds_ = 1; // of a candidate
    u32 runs_ = 0;
};

int tell_nothing(SimSpec const& spec, SimResult const& result)
{
    std::printf("nothing to shrink: ");
    show_result(spec, result);
    return exit_failed;
}

int tell_it_cannot(Attempts const& attempts, ShrinkOptions const& options)
{
    if (attempts.is_over())
        std::printf("there was no time for that: say more than --time %s\n", options.time.c_str());
    else
        std::printf("the failure is not one of its decisions alone: it cannot be shrunk\n");
    return exit_failed;
}

} // namespace

int shrink_journal(ShrinkOptions const& options)
{
    std::string note;
    auto const journal = read_journal(options.file, note);
    auto const time
        = options.time.empty() ? std::optional<u64> { 0 } : nanoseconds_of(options.time);
    if (!journal)
        std::fprintf(stderr, "gemel: %s: %s\n", options.file.c_str(), note.c_str());
    if (!time)
        return exit_usage;
    auto const host = journal ? SimHost::open() : std::nullopt;
    if (!host)
        return exit_failed;
    auto spec = spec_of(*journal);
    spec.processor_seconds_max = options.processor_seconds;
    Attempts attempts { *host, spec, journal->check, *time };
    auto const first = attempts.first();
    if (first.verdict == Verdict::passed)
        return tell_nothing(spec, first);
    auto const fails = [&](auto const& decisions) { return attempts.still_fails(decisions); };
    SimResult last;
    do {
        if (!fails(first.decisions))
            return tell_it_cannot(attempts, options);
        spec.decisions = sim::shrink(first.decisions, fails, options.runs_max).decisions;
        last = attempts.run(spec);
    } while (!attempts.is_same(last) && attempts.take_more_time());
    if (!attempts.is_same(last)) {
        std::printf(
            "the failure does not come again with the same decisions: it cannot be shrunk\n");
        return exit_failed;
    }
    auto const file = options.to.empty() ? options.file : options.to;
    if (!write_journal(file, spec, last, JournalSize::whole))
        return exit_failed;
    show_result(spec, last);
    std::printf("  shrunk %zu decisions -> %zu in %u runs\n", first.decisions.size(),
        spec.decisions->size(), attempts.runs());
    for (auto const& decision : *spec.decisions)
        std::printf("    %s\n", decision_words(decision, last.stops).c_str());
    std::printf("  replay:  gemel replay %s --gdb\n", file.c_str());
    return exit_ok;
}

} // namespace gemel::cli
