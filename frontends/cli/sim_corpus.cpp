#include "frontends/cli/sim_corpus.hpp"

#include "frontends/cli/journal_file.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr char magic[8] = { 'G', 'E', 'M', 'E', 'L', 'C', '0', '1' };
constexpr char const* journal_ending = ".gemel";
constexpr char const* points_ending = ".points";

struct PointsHeader {
    char magic[8];
    u64 begun_event;
    u64 free_event;
    u64 strategy;
    u64 points;
    u64 new_events;
    u64 check; // of what follows: the points and the events
};

u64 check_of(sim::CorpusRun const& run)
{
    sim::Hash hash;
    for (auto const& point : run.covered)
        hash.add(u64 { point.event } << 32 | point.number);
    for (auto const event : run.new_events)
        hash.add(event);
    return hash.low;
}

bool read_points(std::string const& path, sim::CorpusRun& run)
{
    std::ifstream file { path, std::ios::binary };
    PointsHeader header;
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    if (!file || std::memcmp(header.magic, magic, sizeof magic) != 0
        || header.strategy >= sim::strategies || header.points > sim::Coverage::places
        || header.new_events > header.points)
        return false;
    run.begun_event = header.begun_event;
    run.free_event = header.free_event;
    run.strategy = static_cast<sim::StrategyKind>(header.strategy);
    run.covered.resize(header.points);
    file.read(reinterpret_cast<char*>(run.covered.data()),
        static_cast<std::streamsize>(header.points * sizeof(sim::CoveredPoint)));
    run.new_events.resize(header.new_events);
    file.read(reinterpret_cast<char*>(run.new_events.data()),
        static_cast<std::streamsize>(header.new_events * sizeof(u32)));
    return file && check_of(run) == header.check
        && std::all_of(run.covered.begin(), run.covered.end(), [](sim::CoveredPoint const& point) {
               return point.number < sim::Coverage::points_max;
           });
}

bool write_points(std::string const& path, sim::CorpusRun const& run)
{
    PointsHeader header {};
    std::memcpy(header.magic, magic, sizeof magic);
    header.begun_event = run.begun_event;
    header.free_event = run.free_event;
    header.strategy = static_cast<u64>(run.strategy);
    header.points = run.covered.size();
    header.new_events = run.new_events.size();
    header.check = check_of(run);
    std::ofstream file { path, std::ios::binary };
    file.write(reinterpret_cast<char const*>(&header), sizeof header);
    file.write(reinterpret_cast<char const*>(run.covered.data()),
        static_cast<std::streamsize>(run.covered.size() * sizeof(sim::CoveredPoint)));
    file.write(reinterpret_cast<char const*>(run.new_events.data()),
        static_cast<std::streamsize>(run.new_events.size() * sizeof(u32)));
    return static_cast<bool>(file.flush());
}

// Of run-N.gemel; null for other files.
std::optional<u64> number_of(std::filesystem::path const& path)
{
    unsigned long long number = 0;
    int length = 0;
    auto const name = path.filename().string();
    if (std::sscanf(name.c_str(), "run-%llu.gemel%n", &number, &length) != 1
        || static_cast<usize>(length) != name.size() || number >= sim::Corpus::runs_max)
        return std::nullopt;
    return number;
}

} // namespace

SimCorpus::SimCorpus(std::string folder, u64 campaign_seed, sim::Guidance guidance)
    : folder_(std::move(folder))
    , corpus_(campaign_seed, guidance)
{
}

std::unique_ptr<SimCorpus> SimCorpus::open(
    std::string const& folder, SimSpec const& spec, u64 campaign_seed, sim::Guidance guidance)
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        std::fprintf(stderr, "gemel: %s: %s\n", folder.c_str(), error.message().c_str());
        return nullptr;
    }
    std::unique_ptr<SimCorpus> corpus { new SimCorpus { folder, campaign_seed, guidance } };
    return corpus->load(spec) ? std::move(corpus) : nullptr;
}

std::string SimCorpus::path_of(u64 number, char const* ending) const
{
    return folder_ + "/run-" + std::to_string(number) + ending;
}

bool SimCorpus::load(SimSpec const& spec)
{
    std::vector<u64> numbers;
    std::error_code ignored;
    for (auto const& entry : std::filesystem::directory_iterator { folder_, ignored })
        if (auto const number = number_of(entry.path()))
            numbers.push_back(*number);
    std::sort(numbers.begin(), numbers.end());
    for (auto const number : numbers)
        if (!load_run(number, spec))
            return false;
    minimise();
    covered_before_ = corpus_.covered();
    return true;
}

// A run whose second file is missing or damaged (a process was killed) is left out.
bool SimCorpus::load_run(u64 number, SimSpec const& spec)
{
    std::string note;
    auto const path = path_of(number, journal_ending);
    auto const journal = read_journal(path, note);
    sim::CorpusRun run;
    if (!journal || !note.empty() || !read_points(path_of(number, points_ending), run)) {
        std::fprintf(stderr, "gemel: %s is left out: %s\n", path.c_str(),
            note.empty() ? "what it covered is not there, or damaged" : note.c_str());
        return true;
    }
    if (journal->workload != spec.workload || journal->fault_kinds != spec.fault_kinds
        || journal->cpus != spec.cpus || journal->preempts != spec.preempts
        || journal->races != spec.races) {
        std::fprintf(stderr,
            "gemel: %s is of another campaign (workload %s, %u processors, or other faults): name "
            "another folder with --corpus\n",
            path.c_str(), journal->workload.c_str(), journal->cpus);
        return false;
    }
    run.number = number;
    run.seed = journal->seed;
    run.decisions = journal->decisions;
    corpus_.add(std::move(run));
    return true;
}

void SimCorpus::minimise()
{
    std::vector<u64> before;
    for (auto const& run : corpus_.runs())
        before.push_back(run.number);
    corpus_.minimise();
    auto const stays = [this](u64 number) {
        return std::any_of(corpus_.runs().begin(), corpus_.runs().end(),
            [number](sim::CorpusRun const& run) { return run.number == number; });
    };
    for (auto const number : before)
        if (!stays(number))
            for (auto const* ending : { journal_ending, points_ending })
                ::unlink(path_of(number, ending).c_str());
}

SimSpec SimCorpus::next(SimSpec const& spec, u64 number)
{
    auto const trial = corpus_.trial(number);
    auto result = spec;
    result.seed = trial.seed;
    result.decisions = trial.decisions;
    result.branch
        = { trial.branch_event, trial.branch_seed, trial.branch_strategy, sim::Entropy::kept };
    result.covers = true;
    number_ = number;
    origin_ = trial.origin;
    return result;
}

std::string SimCorpus::origin() const
{
    return std::to_string(number_) + " of the corpus: " + origin_;
}

// A run that failed is no parent: its children would fail as it did.
bool SimCorpus::take(SimSpec const& spec, SimResult const& result)
{
    if (result.verdict != Verdict::passed)
        return true;
    sim::CorpusRun run { number_, spec.seed, result.begun_event, result.free_event, result.strategy,
        result.decisions, result.covered, {} };
    return !corpus_.take(std::move(run)) || save(corpus_.runs().back(), spec, result);
}

// The journal last: without it the other file is none.
bool SimCorpus::save(sim::CorpusRun const& run, SimSpec const& spec, SimResult const& result) const
{
    auto const points = path_of(run.number, points_ending);
    if (!write_points(points, run)) {
        std::fprintf(stderr, "gemel: %s cannot be written\n", points.c_str());
        return false;
    }
    return write_journal(path_of(run.number, journal_ending), spec, result, JournalSize::whole);
}

std::string SimCorpus::summary() const
{
    return std::to_string(corpus_.runs().size()) + " runs kept, "
        + std::to_string(corpus_.covered()) + " points covered, "
        + std::to_string(corpus_.covered() - covered_before_) + " of them new";
}

} // namespace gemel::cli
