// `gemel sim`: seeds, their verdicts, and what is needed to see one again.
#include "frontends/cli/sim.hpp"

#include "frontends/cli/comparison.hpp"
#include "frontends/cli/event_file.hpp"
#include "frontends/cli/journal_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/sim_corpus.hpp"
#include "frontends/cli/verdict.hpp"

#include <gemel/hosted/site.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace gemel::cli {

namespace {

constexpr unsigned jobs_max = 64;
// Every tenth run of a workload whose disk is checked is also judged by e2fsck.
constexpr u64 judged_seeds = 10;

struct Range {
    u64 first = 0;
    u64 last = 0;
};

bool number_of(std::string const& text, u64& value)
{
    char* end = nullptr;
    errno = 0;
    value = std::strtoull(text.c_str(), &end, 0);
    return !text.empty() && text[0] != '-' && *end == 0 && errno == 0;
}

std::optional<Range> range_of(std::string const& text)
{
    auto const dots = text.find("..");
    Range range;
    if (dots == std::string::npos || !number_of(text.substr(0, dots), range.first)
        || !number_of(text.substr(dots + 2), range.last) || range.last < range.first) {
        std::fprintf(
            stderr, "gemel: --seeds %s: say A..B, both included, A at most B\n", text.c_str());
        return std::nullopt;
    }
    return range;
}

// As one word of a command line.
std::string shell_word(std::string const& text)
{
    auto const plain = [](char c) { return std::isalnum(static_cast<u8>(c)) != 0 || c == '-'; };
    if (!text.empty() && std::all_of(text.begin(), text.end(), plain))
        return text;
    std::string word = "'";
    for (auto const c : text)
        word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
}

// Null after a message. A kind that is no family says what it comes with.
std::optional<sim::Kind> family_of(std::string const& name)
{
    constexpr std::pair<sim::Kind, char const*> others[]
        = { { sim::Kind::entropy, "it is the seed's" }, { sim::Kind::schedule, "say --strategy" },
              { sim::Kind::power_loss, "it comes with power-cut" },
              { sim::Kind::preempt, "say --preempt" }, { sim::Kind::processor, "say --cpus" } };
    for (auto const& [kind, instead] : others)
        if (name == sim::name_of(kind)) {
            std::fprintf(stderr, "gemel: --faults: %s is no fault: %s\n", name.c_str(), instead);
            return std::nullopt;
        }
    std::string families;
    for (u32 number = 0; number < sim::kinds; ++number) {
        auto const kind = static_cast<sim::Kind>(number);
        if (sim::is_family(kind) && name == sim::name_of(kind))
            return kind;
        if (sim::is_family(kind))
            (families += " ") += sim::name_of(kind);
    }
    std::fprintf(stderr,
        "gemel: --faults: no family is called %s. There are:%s; or default, none, all\n",
        name.c_str(), families.c_str());
    return std::nullopt;
}

std::optional<u32> faults_of(std::string const& text, std::string const& workload)
{
    if (text == "none")
        return 0;
    if (text == "all")
        return sim::lawful_kinds;
    if (text == "default")
        return sim::fault_kinds_of(workload);
    u32 kinds = 0;
    for (usize begin = 0; begin <= text.size();) {
        auto const end = std::min(text.find(',', begin), text.size());
        auto const name = text.substr(begin, end - begin);
        auto const kind = family_of(name);
        if (!kind)
            return std::nullopt;
        kinds |= 1u << static_cast<u32>(*kind);
        begin = end + 1;
    }
    return kinds;
}

// Nothing where edges are not counted.
std::string edges_text(SimResult const& result)
{
    if constexpr (!hosted::counts_edges)
        return "";
    return "  " + std::to_string(result.edges) + " edges  " + std::to_string(result.stop_count)
        + " stops";
}

struct Tally {
    u64 runs = 0;
    u64 failed = 0;
    u64 different = 0;
    u64 inconclusive = 0;
    u64 events = 0;
    u64 edges = 0;
    u64 stops = 0;
    u64 virtual_ns = 0;
    u64 power_cuts = 0;
    u64 crash_states = 0;
    u64 judged = 0; // by e2fsck
};

class Campaign {
public:
    // `corpus`: null, or what runs are made from; it outlives the campaign.
    Campaign(SimHost const& host, SimSpec const& spec, SimOptions const& options, SimCorpus* corpus)
        : host_(host)
        , spec_(spec)
        , options_(options)
        , corpus_(corpus)
        , farm_(host, options.jobs)
    {
    }

    // Starts a seed when there is room, first waiting until there is. A run of the corpus depends
    // on all before it.
    void add(u64 seed)
    {
        if (running_.size() >= (corpus_ ? 1 : options_.jobs))
            take_one();
        auto spec = corpus_ ? corpus_->next(spec_, seed) : spec_;
        if (!corpus_)
            spec.seed = seed;
        auto sampled = way();
        auto const* workload = sim::find_workload(spec.workload);
        auto const is_checked = workload && workload->crash_states != 0;
        if (is_checked && seed % judged_seeds == 0 && !options_.twice)
            sampled.disk = DiskAfter::kept;
        running_.push_back(farm_.start(spec, sampled));
    }
    void finish()
    {
        while (!running_.empty())
            take_one();
    }
    Tally const& tally() const { return tally_; }
    bool is_over() const
    {
        return broken_
            || (options_.first_failure
                && tally_.failed + tally_.different + tally_.inconclusive != 0);
    }
    // The corpus could not be kept; that was said.
    bool is_broken() const { return broken_; }

private:
    SimWay way() const
    {
        return { .perturbation = { options_.heap_fill, options_.stack_pad },
            .jail = options_.open_jail ? Jail::open : Jail::closed,
            .process = options_.twice ? Process::executed : Process::forked,
            .events = options_.events,
            .block_log = options_.block_log };
    }
    void take_one();
    void judge(SimSpec const& spec, SimResult const& result);
    void compare(SimSpec const& spec, SimResult const& result);
    void report_failure(SimSpec const& spec, SimResult const& result) const;
    void keep_journal(SimSpec const& spec, SimResult const& result, std::string const& name,
        JournalSize size) const;
    std::string ways_of(SimSpec const& spec) const;

    SimHost const& host_;
    SimSpec const& spec_;
    SimOptions const& options_;
    SimCorpus* corpus_;
    SimFarm farm_;
    std::vector<SimFarm::Running> running_;
    Tally tally_;
    bool broken_ = false;
};

void Campaign::take_one()
{
    auto const at = running_.begin() + static_cast<std::ptrdiff_t>(SimFarm::wait_any(running_));
    auto running = std::move(*at);
    running_.erase(at);
    auto const spec = running.spec;
    auto result = farm_.finish(std::move(running));
    if (result.disk >= 0 && judge_disk(result))
        ++tally_.judged; // the last line counts those that were judged
    if (tally_.runs == 0)
        tell_open_jail(result);
    judge(spec, result);
    if (corpus_ && !corpus_->take(spec, result))
        broken_ = true;
}

void Campaign::judge(SimSpec const& spec, SimResult const& result)
{
    ++tally_.runs;
    tally_.events += result.events;
    tally_.edges += result.edges;
    tally_.stops += result.stop_count;
    tally_.virtual_ns += result.time_ns;
    tally_.power_cuts += result.power_cuts;
    tally_.crash_states += result.crash_states;
    if (options_.seed || options_.show_console)
        std::printf("%s", options_.show_console ? result.console.c_str() : "");
    switch (result.verdict) {
    case Verdict::passed:
        if (options_.seed || options_.twice || options_.each)
            std::printf("seed %llu  L1 %s  L2 %s  t=%s  %llu events  %s  %zu decisions%s\n",
                static_cast<unsigned long long>(spec.seed), text_of(result.l1).c_str(),
                (options_.twice ? text_of(result.l2).c_str() : "-"),
                time_text(result.time_ns).c_str(), static_cast<unsigned long long>(result.events),
                name_of(result.strategy), result.decisions.size(), edges_text(result).c_str());
        break;
    case Verdict::failed:
        ++tally_.failed;
        report_failure(spec, result);
        break;
    case Verdict::leaked:
        ++tally_.different;
        report_failure(spec, result);
        break;
    case Verdict::inconclusive:
        ++tally_.inconclusive;
        report_failure(spec, result);
        break;
    }
    if (options_.twice && result.verdict != Verdict::leaked)
        compare(spec, result);
}

void Campaign::compare(SimSpec const& spec, SimResult const& result)
{
    auto const hashes = difference_to_itself(host_, farm_, spec, way(), result);
    if (hashes.empty())
        return;
    ++tally_.different;
    std::printf("%s\n  see where: gemel sim --seed %llu --workload %s --events A, the same with "
                "--heap-fill 90 --events B, gemel diverge A B\n",
        difference_line(spec, hashes).c_str(), static_cast<unsigned long long>(spec.seed),
        shell_word(spec.workload).c_str());
    keep_journal(
        spec, as_different(result), "different-" + std::to_string(spec.seed), JournalSize::usual);
}

// What else was asked for and makes another run.
std::string Campaign::ways_of(SimSpec const& spec) const
{
    std::string words = spec.preempts ? " --preempt" : spec.races ? " --races" : "";
    if (spec.cpus != 1)
        words += " --cpus " + std::to_string(spec.cpus);
    if (spec.traces_messages)
        words += " --messages";
    if (!options_.until.empty())
        words += " --until " + options_.until;
    return words;
}

// A boot that differs from another one is nothing that a journal could show.
bool is_in_journal(SimResult const& result)
{
    return result.verdict != Verdict::leaked || result.failure.check != "boot";
}

void Campaign::report_failure(SimSpec const& spec, SimResult const& result) const
{
    show_result(spec, result);
    if (corpus_)
        std::printf("  run:     %s\n", corpus_->origin().c_str());
    else
        std::printf("  again:   gemel sim --seed %llu --workload %s --strategy %s --faults %s%s\n",
            static_cast<unsigned long long>(spec.seed), shell_word(spec.workload).c_str(),
            options_.strategy.c_str(), options_.faults.c_str(), ways_of(spec).c_str());
    // A process that ended without a word told no L1.
    auto const told = result.l1 == sim::Hash { 0, 0 }
        ? (corpus_ ? "run" : "seed") + std::to_string(corpus_ ? corpus_->number() : spec.seed)
        : text_of(result.l1).substr(0, 8);
    if (is_in_journal(result))
        keep_journal(
            spec, result, "fail-" + told, corpus_ ? JournalSize::whole : JournalSize::usual);
    std::fflush(stdout);
}

void Campaign::keep_journal(
    SimSpec const& spec, SimResult const& result, std::string const& name, JournalSize size) const
{
    auto const file = options_.journal_folder + "/" + name + ".gemel";
    if (write_journal(file, spec, result, size))
        std::printf("  replay:  gemel replay %s --gdb\n  shrink:  gemel shrink %s\n", file.c_str(),
            file.c_str());
}

int verdict_of(Tally const& tally)
{
    if (tally.different != 0)
        return exit_nondeterminism;
    return tally.failed != 0 || tally.inconclusive != 0 ? exit_failed : exit_ok;
}

// Seeds one after the other until the time is over.
void run_for(Campaign& campaign, u64 nanoseconds)
{
    auto const begun = std::chrono::steady_clock::now();
    for (u64 seed = 1;; ++seed) {
        auto const gone = std::chrono::steady_clock::now() - begun;
        if (gone >= std::chrono::nanoseconds { nanoseconds } || campaign.is_over())
            return;
        campaign.add(seed);
    }
}

bool traces_of(SimOptions const& options)
{
    return (options.trace_text.empty() && options.trace.empty())
        || write_traces(options.events, options.trace_text, options.trace);
}

// How many runs, how fast.
void tell_total(Tally const& tally, SimSpec const& spec, double seconds)
{
    std::printf(
        "%llu runs of %s: %llu failed, %llu different, %llu inconclusive; %.1f s, %.1f runs/s, "
        "%.0f events/s, %.0f times real time; %llu events, %llu virtual ms\n",
        static_cast<unsigned long long>(tally.runs), spec.workload.c_str(),
        static_cast<unsigned long long>(tally.failed),
        static_cast<unsigned long long>(tally.different),
        static_cast<unsigned long long>(tally.inconclusive), seconds,
        static_cast<double>(tally.runs) / seconds, static_cast<double>(tally.events) / seconds,
        static_cast<double>(tally.virtual_ns) / 1e9 / seconds,
        static_cast<unsigned long long>(tally.events),
        static_cast<unsigned long long>(tally.virtual_ns / 1'000'000));
}

void tell_particulars(Tally const& tally, double seconds)
{
    if (tally.stops != 0)
        std::printf("%llu edges, %llu stops inside code\n",
            static_cast<unsigned long long>(tally.edges),
            static_cast<unsigned long long>(tally.stops));
    if (tally.power_cuts != 0)
        std::printf(
            "%llu power cuts, %llu crash states checked, %.0f a second; %llu disks judged by "
            "e2fsck\n",
            static_cast<unsigned long long>(tally.power_cuts),
            static_cast<unsigned long long>(tally.crash_states),
            static_cast<double>(tally.crash_states) / seconds,
            static_cast<unsigned long long>(tally.judged));
}

} // namespace

std::string events_for(std::string const& trace_text, std::string const& trace)
{
    auto const& either = trace.empty() ? trace_text : trace;
    return either.empty() ? "" : either + ".events";
}

namespace {

// "12.345" of a unit, to the nanosecond; nothing where it is no number, or too large.
std::optional<u64> scaled(std::string const& number, u64 unit)
{
    constexpr u64 most = 1'000'000'000'000'000'000;
    auto const dot = std::min(number.find('.'), number.size());
    auto const whole = number.substr(0, dot);
    auto const part = dot < number.size() ? number.substr(dot + 1) : "";
    if ((whole + part).empty() || part.find('.') != std::string::npos)
        return std::nullopt;
    u64 value = 0;
    for (auto const digit : whole) {
        value = value * 10 + static_cast<u64>(digit - '0');
        if (value > most / unit)
            return std::nullopt;
    }
    value *= unit;
    for (auto const digit : part) { // units are multiples of many tens, and no digit behind counts
        value += static_cast<u64>(digit - '0') * unit / 10;
        unit /= 10;
    }
    return value;
}

} // namespace

std::optional<u64> nanoseconds_of(std::string const& text)
{
    constexpr std::pair<char const*, u64> units[]
        = { { "ns", 1 }, { "us", 1000 }, { "ms", 1'000'000 }, { "s", 1'000'000'000 },
              { "m", 60'000'000'000 }, { "h", 3'600'000'000'000 } };
    auto const digits = std::min(text.find_first_not_of("0123456789."), text.size());
    for (auto const& [unit, factor] : units)
        if (text.substr(digits) == unit)
            if (auto const value = scaled(text.substr(0, digits), factor))
                return value;
    std::fprintf(
        stderr, "gemel: %s is no length of time: say 500ms, 60s, 10m or 1h\n", text.c_str());
    return std::nullopt;
}

std::optional<SimSpec> spec_of(SimOptions const& options)
{
    SimSpec spec;
    spec.workload = options.workload;
    if (spec.workload.size() > sim::Journal::workload_bytes_max) {
        std::fprintf(stderr,
            "gemel: the workload has %zu bytes, and a journal holds %zu. Make it a program "
            "(docs/simulator.md).\n",
            spec.workload.size(), sim::Journal::workload_bytes_max);
        return std::nullopt;
    }
    auto known = false;
    spec.strategy = sim::strategy_of(options.strategy, known);
    if (!known) {
        std::fprintf(
            stderr, "gemel: no strategy is called %s. There are:", options.strategy.c_str());
        for (u32 i = 0; i < sim::strategies; ++i)
            std::fprintf(stderr, " %s", name_of(static_cast<sim::StrategyKind>(i)));
        std::fprintf(stderr, "\n");
        return std::nullopt;
    }
    auto const* workload = sim::find_workload(options.workload);
    auto const usual = workload ? workload->until_ns : spec.until_ns;
    auto const until = options.until.empty() ? usual : nanoseconds_of(options.until);
    auto const faults = faults_of(options.faults, options.workload);
    if (!until || !faults)
        return std::nullopt;
    spec.until_ns = *until;
    spec.fault_kinds = *faults;
    spec.preempts = options.preempt;
    spec.races = arch::watches_races;
    spec.cpus = options.cpus;
    spec.traces_messages = options.messages;
    spec.seed = options.seed.value_or(1);
    spec.processor_seconds_max = options.processor_seconds;
    return spec;
}

namespace {

// A file of one run cannot hold those of several. False after a message.
bool may_write(SimOptions const& options)
{
    auto const* one = !options.block_log.empty() ? "--block-log"
        : !options.trace.empty()                 ? "--trace"
        : !options.trace_text.empty()            ? "--trace-text"
        : !options.events.empty()                ? "--events"
                                                 : nullptr;
    if (!one || (options.seeds.empty() && options.time.empty()))
        return true;
    std::fprintf(stderr, "gemel: %s is one run's: say --seed N\n", one);
    return false;
}

} // namespace

int simulate(SimOptions const& given)
{
    auto options = given;
    if (options.events.empty())
        options.events = events_for(options.trace_text, options.trace);
    options.jobs = std::clamp(options.jobs, 1u, jobs_max);
    auto const spec = spec_of(options);
    auto const range
        = options.seeds.empty() ? std::optional<Range> { Range {} } : range_of(options.seeds);
    auto const time
        = options.time.empty() ? std::optional<u64> { 0 } : nanoseconds_of(options.time);
    if (!spec || !range || !time)
        return exit_usage;
    if (!may_write(options))
        return exit_usage;
    auto const host = SimHost::open();
    if (!host)
        return exit_failed;
    std::unique_ptr<SimCorpus> corpus;
    if (!options.corpus.empty()) {
        corpus = SimCorpus::open(options.corpus, *spec, options.campaign_seed,
            options.guided ? sim::Guidance::by_coverage : sim::Guidance::off);
        if (!corpus)
            return exit_failed;
    }
    if (options.minimise) {
        std::printf("corpus: %s\n", corpus->summary().c_str());
        return exit_ok;
    }
    auto const begun = std::chrono::steady_clock::now();
    Campaign campaign { *host, *spec, options, corpus.get() };
    if (*time != 0)
        run_for(campaign, *time);
    else if (!options.seeds.empty())
        for (auto seed = range->first;; ++seed) {
            campaign.add(seed);
            if (seed == range->last || campaign.is_over())
                break;
        }
    else
        campaign.add(spec->seed);
    campaign.finish();
    auto const& tally = campaign.tally();
    std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - begun;
    if (tally.runs > 1 || !options.seeds.empty())
        tell_total(tally, *spec, seconds.count());
    tell_particulars(tally, seconds.count());
    if (corpus) {
        corpus->minimise();
        std::printf("corpus: %s\n", corpus->summary().c_str());
    }
    if (!traces_of(options) || campaign.is_broken())
        return exit_failed;
    return verdict_of(tally);
}

} // namespace gemel::cli
