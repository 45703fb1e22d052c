// `gemel when`: the past of a failure as it was, and many other futures from an instant on. How
// many of them fail in the same way says how much was decided by then; where all do, it was
// certain.
#include "frontends/cli/event_file.hpp"
#include "frontends/cli/journal_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/signature.hpp"
#include "frontends/cli/sim.hpp"
#include "frontends/cli/sim_farm.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr u64 domain_future = 0x5748'454E; // of the futures' seeds
constexpr u32 bar_width = 40;
constexpr u64 phase_safety = 1; // decisions begin with it

struct Tally {
    u32 runs = 0;
    u32 failed = 0; // in the same way
    u32 otherwise = 0; // in another way
    bool certain() const { return failed == runs; }
};

class Futures {
public:
    Futures(SimHost const& host, SimSpec const& spec, SimResult const& failure,
        sim::StrategyKind strategy, WhenOptions const& options)
        : spec_(spec)
        , signature_(signature_of(failure.failure))
        , strategy_(strategy)
        , options_(options)
        , farm_(host, options.jobs)
    {
    }

    // Tries what may follow these events; each is looked at once.
    void look(std::vector<u64> const& events);
    // Narrows down the first event from which on it is certain, as far as those seen tell.
    std::optional<u64> certain_from();
    std::map<u64, Tally> const& seen() const { return seen_; }

private:
    void start(u64 event, u32 number);
    void take_one();

    SimSpec const& spec_;
    std::string signature_;
    sim::StrategyKind strategy_;
    WhenOptions const& options_;
    std::map<u64, Tally> seen_;
    SimFarm farm_;
    std::vector<SimFarm::Running> running_;
};

void Futures::start(u64 event, u32 number)
{
    auto spec = spec_;
    spec.branch = { event, sim::mix(spec.seed, domain_future, 0, number), strategy_ };
    running_.push_back(farm_.start(spec));
}

void Futures::take_one()
{
    auto const at = running_.begin() + static_cast<std::ptrdiff_t>(SimFarm::wait_any(running_));
    auto running = std::move(*at);
    running_.erase(at);
    auto const event = running.spec.branch.event;
    auto const result = farm_.finish(std::move(running));
    auto& tally = seen_[event];
    ++tally.runs;
    if (result.verdict == Verdict::passed)
        return;
    auto const same
        = result.verdict == Verdict::failed && signature_of(result.failure) == signature_;
    ++(same ? tally.failed : tally.otherwise);
}

void Futures::look(std::vector<u64> const& events)
{
    for (auto const event : events) {
        if (seen_.contains(event))
            continue;
        seen_[event] = {};
        for (u32 number = 0; number < options_.seeds; ++number) {
            if (running_.size() >= options_.jobs)
                take_one();
            start(event, number);
        }
    }
    while (!running_.empty())
        take_one();
}

std::optional<u64> Futures::certain_from()
{
    auto at = seen_.rbegin();
    if (!at->second.certain())
        return std::nullopt;
    while (at != seen_.rend() && at->second.certain())
        ++at;
    auto certain = std::prev(at)->first;
    auto open = at == seen_.rend() ? certain - 1 : at->first;
    while (at != seen_.rend() && certain - open > 1) {
        auto const middle = open + (certain - open) / 2;
        look({ middle });
        (seen_.at(middle).certain() ? certain : open) = middle;
    }
    return certain;
}

std::vector<u64> spread(u64 first, u64 last, u32 points)
{
    std::vector<u64> events;
    for (u32 i = 0; i < points; ++i)
        events.push_back(first + (last - first) * i / (points - 1));
    return events;
}

// What happened in the run, by a file that is gone again afterwards.
std::optional<EventFile> events_of(SimHost const& host, SimSpec const& spec, SimResult& result)
{
    auto const descriptor = ::memfd_create("gemel-events", 0);
    if (descriptor < 0)
        return std::nullopt;
    auto const path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor);
    SimWay way;
    way.events = path;
    result = host.run(spec, way);
    std::string error;
    auto file = read_event_file(path, error);
    ::close(descriptor);
    if (!file)
        std::fprintf(stderr, "gemel: the run's events: %s\n", error.c_str());
    return file;
}

std::string task_of(EventFile const& file, u64 event)
{
    auto const number = file.events[event - 1].task;
    std::string name = number == 0 ? "the world" : std::to_string(number);
    for (auto const& known : file.names)
        if (known.event < event && known.task == number)
            name = known.text;
    return name;
}

u64 first_decision(EventFile const& file)
{
    for (usize i = 0; i < file.events.size(); ++i)
        if (file.events[i].kind == sim::EventKind::phase && file.events[i].a == phase_safety)
            return i + 1;
    return 1;
}

std::string bar_of(Tally const& tally)
{
    auto const width = tally.failed * bar_width / std::max(tally.runs, 1u);
    return std::string(width, '#') + std::string(bar_width - width, '.');
}

// The neighbours between which most was decided.
std::pair<u64, u64> steepest(std::map<u64, Tally> const& seen)
{
    std::pair<u64, u64> most { 0, 0 };
    auto rise = 0;
    for (auto at = seen.begin(); std::next(at) != seen.end(); ++at) {
        auto const behind = std::next(at);
        auto const here
            = static_cast<int>(behind->second.failed) - static_cast<int>(at->second.failed);
        if (here > rise) {
            rise = here;
            most = { at->first, behind->first };
        }
    }
    return most;
}

struct Found {
    SimResult failure;
    EventFile file;
    std::map<u64, Tally> seen;
    std::optional<u64> certain;
};

std::string time_of(Found const& found, u64 event)
{
    return time_text(found.file.events[event - 1].time_ns);
}

void print(Found const& found, WhenOptions const& options)
{
    auto const number = [](u64 value) { return static_cast<unsigned long long>(value); };
    auto const& failure = found.failure.failure;
    std::printf("FAIL %s  \"%s\"  t=%s  event %llu\n%8s  %-16s %-12s 0 %% %*s\n",
        failure.check.c_str(), failure.what.c_str(), time_text(failure.time_ns).c_str(),
        number(failure.event), "event", "t", "failed", static_cast<int>(bar_width) - 4, "100 %");
    for (auto const& [event, tally] : found.seen) {
        std::printf("%8llu  %-16s %3u of %-5u %s", number(event), time_of(found, event).c_str(),
            tally.failed, tally.runs, bar_of(tally).c_str());
        std::printf(tally.otherwise == 0 ? "\n" : "  %u in another way\n", tally.otherwise);
    }
    if (auto const [from, to] = steepest(found.seen); to != 0)
        std::printf("most was decided between event %llu and event %llu: %u -> %u of %u\n",
            number(from), number(to), found.seen.at(from).failed, found.seen.at(to).failed,
            found.seen.at(to).runs);
    if (!found.certain) {
        std::printf("it was not certain at any of these instants\n");
        return;
    }
    auto const event = *found.certain;
    std::printf("certain from event %llu on, t=%s, in task %s\n", number(event),
        time_of(found, event).c_str(), task_of(found.file, event).c_str());
    if (event > 1)
        std::printf("  stand before it:  gemel replay %s --gdb --to event:%llu\n",
            options.file.c_str(), number(event - 1));
}

std::string json_text(std::string const& text)
{
    std::string quoted = "\"";
    for (auto const letter : text) {
        char escape[8];
        if (letter == '"' || letter == '\\')
            (quoted += '\\') += letter;
        else if (static_cast<u8>(letter) < 0x20)
            std::snprintf(escape, sizeof escape, "\\u%04x", letter), quoted += escape;
        else
            quoted += letter;
    }
    return quoted + "\"";
}

void print_json(Found const& found)
{
    auto const number = [](u64 value) { return static_cast<unsigned long long>(value); };
    auto const& failure = found.failure.failure;
    std::printf("{\"check\": %s, \"what\": %s, \"event\": %llu, \"time_ns\": %llu, \"instants\": [",
        json_text(failure.check).c_str(), json_text(failure.what).c_str(), number(failure.event),
        number(failure.time_ns));
    auto const* before = "";
    for (auto const& [event, tally] : found.seen) {
        std::printf("%s\n  {\"event\": %llu, \"time_ns\": %llu, \"runs\": %u, \"failed\": %u, "
                    "\"otherwise\": %u}",
            before, number(event), number(found.file.events[event - 1].time_ns), tally.runs,
            tally.failed, tally.otherwise);
        before = ",";
    }
    std::printf("],\n \"certain\": ");
    if (found.certain)
        std::printf("{\"event\": %llu, \"time_ns\": %llu, \"task\": %s}}\n", number(*found.certain),
            number(found.file.events[*found.certain - 1].time_ns),
            json_text(task_of(found.file, *found.certain)).c_str());
    else
        std::printf("null}\n");
}

} // namespace

int when(WhenOptions const& options)
{
    auto known = false;
    auto const strategy = sim::strategy_of(options.strategy, known);
    if (!known) {
        std::fprintf(stderr, "gemel: no strategy is called %s\n", options.strategy.c_str());
        return exit_usage;
    }
    std::string note;
    auto const journal = read_journal(options.file, note);
    if (!note.empty())
        std::fprintf(stderr, "gemel: %s: %s\n", options.file.c_str(), note.c_str());
    auto const host = journal ? SimHost::open() : std::nullopt;
    if (!host)
        return exit_failed;
    auto const spec = spec_of(*journal);
    Found found;
    auto file = events_of(*host, spec, found.failure);
    if (!file)
        return exit_failed;
    found.file = std::move(*file);
    auto const last = std::min<u64>(found.failure.failure.event, found.file.events.size());
    if (found.failure.verdict != Verdict::failed || last == 0) {
        std::printf("the run of %s does not fail at an event: there is nothing to ask about\n",
            options.file.c_str());
        return exit_failed;
    }
    Futures futures { *host, spec, found.failure, strategy, options };
    auto const first = std::min(first_decision(found.file), last);
    futures.look(spread(first, last, options.points));
    found.certain = futures.certain_from();
    found.seen = futures.seen();
    if (options.json)
        print_json(found);
    else
        print(found, options);
    return exit_ok;
}

} // namespace gemel::cli
