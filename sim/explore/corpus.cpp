#include "sim/explore/corpus.hpp"

#include "core/base/assert.hpp"

#include <algorithm>

namespace gemel::sim {

namespace {

constexpr u64 domain_trial = 8192;
constexpr u64 domain_branch = 8193;
constexpr u64 fresh_in = 8; // one run in so many is a fresh seed's
constexpr u64 kept_in = 4; // without guidance one run in so many is kept
constexpr u64 newest = 3;
constexpr u64 changes_max = 8;
constexpr u32 shift_bits_max = 6;
constexpr u32 near_bits_max = 8;

// One of the answers of that kind, of which there are some.
u32 answer_of_kind(std::vector<Decision> const& list, Kind kind, u64 draw)
{
    std::vector<u32> answers;
    for (auto const& decision : list)
        if (decision.key.kind == kind)
            answers.push_back(decision.value);
    return answers[draw % answers.size()];
}

} // namespace

// Draws of one trial, one after the other.
class Corpus::Draw {
public:
    Draw(u64 campaign_seed, u64 number)
        : seed_(campaign_seed)
        , number_(number)
    {
    }
    u64 below(u64 count) { return mix(seed_, domain_trial, number_, drawn_++) % count; }

private:
    u64 seed_;
    u64 number_;
    u64 drawn_ = 0;
};

Corpus::Corpus(u64 campaign_seed, Guidance guidance)
    : campaign_seed_(campaign_seed)
    , guidance_(guidance)
    , holders_(Coverage::points_max)
{
    ASSERT(campaign_seed < campaigns_max);
}

void Corpus::add(CorpusRun run)
{
    for (auto const& point : run.covered)
        covered_ += holders_[point.number]++ == 0;
    runs_.push_back(std::move(run));
}

bool Corpus::take(CorpusRun run)
{
    auto is_new = false;
    for (auto const& point : run.covered) {
        if (holders_[point.number] != 0)
            continue;
        is_new = true;
        if (point.event < run.free_event)
            run.new_events.push_back(point.event);
    }
    auto const keeps = guidance_ == Guidance::by_coverage
        ? is_new
        : mix(campaign_seed_, domain_trial, run.number, ~u64 { 0 }) % kept_in == 0;
    if (keeps)
        add(std::move(run));
    return keeps;
}

// Greedy: the run with the most points that nothing chosen covers; fewer decisions among equals.
void Corpus::minimise()
{
    if (guidance_ == Guidance::off)
        return;
    std::vector<bool> done(Coverage::points_max);
    std::vector<bool> stays(runs_.size());
    auto const gain = [&](CorpusRun const& run) {
        return static_cast<u64>(std::count_if(run.covered.begin(), run.covered.end(),
            [&](CoveredPoint const& point) { return !done[point.number]; }));
    };
    for (u64 left = covered_; left != 0;) {
        usize best = 0;
        u64 most = 0;
        for (usize i = 0; i < runs_.size(); ++i) {
            auto const more = stays[i] ? 0 : gain(runs_[i]);
            auto const smaller = runs_[i].decisions.size() < runs_[best].decisions.size();
            if (more > most || (more == most && more != 0 && smaller))
                best = i, most = more;
        }
        ASSERT(most != 0);
        stays[best] = true;
        for (auto const& point : runs_[best].covered)
            done[point.number] = true;
        left -= most;
    }
    auto old = std::move(runs_);
    runs_.clear();
    std::fill(holders_.begin(), holders_.end(), 0);
    covered_ = 0;
    for (usize i = 0; i < old.size(); ++i)
        if (stays[i])
            add(std::move(old[i]));
}

// --- the next run ---

// One that alone covers something: the more of it, the likelier.
CorpusRun const& Corpus::with_rare_point(Draw& draw) const
{
    std::vector<CorpusRun const*> holders;
    for (auto const& run : runs_)
        for (auto const& point : run.covered)
            if (holders_[point.number] == 1)
                holders.push_back(&run);
    return holders.empty() ? runs_[draw.below(runs_.size())] : *holders[draw.below(holders.size())];
}

CorpusRun const& Corpus::parent(Draw& draw) const
{
    auto const count = runs_.size();
    if (guidance_ == Guidance::off)
        return runs_[draw.below(count)];
    switch (draw.below(4)) {
    case 0:
        return with_rare_point(draw);
    case 1:
        return runs_[draw.below(count)];
    default: // the newest: what they showed was followed up least
        return runs_[count - 1 - draw.below(std::min(count, newest))];
    }
}

// As it was up to an event, and other chance from there on. Often soon after it showed what was
// new: there nobody has been.
void Corpus::cut(Trial& trial, CorpusRun const& parent, Draw& draw) const
{
    auto const room
        = parent.free_event > parent.begun_event ? parent.free_event - parent.begun_event : 1;
    auto after = parent.begun_event + draw.below(room);
    if (guidance_ == Guidance::by_coverage && !parent.new_events.empty() && draw.below(4) != 0)
        after = parent.new_events[draw.below(parent.new_events.size())]
            + draw.below(u64 { 1 } << draw.below(near_bits_max));
    trial.branch_event = std::min(after, parent.free_event) + 1;
    trial.branch_seed = mix(campaign_seed_, domain_branch, parent.number, draw.below(~u64 { 0 }));
    trial.branch_strategy = draw.below(2) == 0 // what has led so far, or any
        ? parent.strategy
        : resolved(StrategyKind::portfolio, trial.branch_seed);
    trial.origin += ", from event " + std::to_string(trial.branch_event) + " on "
        + name_of(trial.branch_strategy);
}

void Corpus::change(Trial& trial, Draw& draw) const
{
    auto& list = *trial.decisions;
    auto const shift = [&](u32 ordinal) {
        auto const by = static_cast<u32>(1 + draw.below(u64 { 1 } << draw.below(shift_bits_max)));
        return draw.below(2) == 0 ? ordinal + by : ordinal - std::min(by, ordinal);
    };
    auto const& other = runs_[draw.below(runs_.size())];
    switch (draw.below(5)) {
    case 0: { // the beginning of one and the end of another
        auto const share = draw.below(1024);
        list.resize(list.size() * share / 1024);
        auto const from = other.decisions.size() * share / 1024;
        list.insert(list.end(), other.decisions.begin() + static_cast<std::ptrdiff_t>(from),
            other.decisions.end());
        trial.origin += ", then " + std::to_string(other.number);
        return;
    }
    case 1: { // some in a row are left out
        auto const first = draw.below(list.size());
        auto const count = 1 + draw.below(std::min<u64>(changes_max, list.size() - first));
        auto const at = list.begin() + static_cast<std::ptrdiff_t>(first);
        list.erase(at, at + static_cast<std::ptrdiff_t>(count));
        trial.origin += ", some decisions left out";
        return;
    }
    case 2: // one answer becomes another one's
        for (u64 i = 0, count = 1 + draw.below(changes_max); i < count; ++i) {
            auto const drawn = draw.below(list.size());
            auto& to = list[draw.below(list.size())];
            to.value = answer_of_kind(list, to.key.kind, drawn);
        }
        trial.origin += ", some answers exchanged";
        return;
    case 3: // once more, at another time
        for (u64 i = 0, count = 1 + draw.below(changes_max); i < count; ++i) {
            auto more = list[draw.below(list.size())];
            more.key.ordinal = shift(more.key.ordinal);
            list.push_back(more);
        }
        trial.origin += ", some decisions repeated";
        return;
    default: { // all of one thread or device from some point on, earlier or later
        auto const first = draw.below(list.size());
        auto const key = list[first].key;
        auto const by = static_cast<i64>(shift(key.ordinal)) - i64 { key.ordinal };
        for (auto i = first; i < list.size(); ++i)
            if (list[i].key.kind == key.kind && list[i].key.entity == key.entity)
                list[i].key.ordinal
                    = static_cast<u32>(std::max<i64>(0, i64 { list[i].key.ordinal } + by));
        trial.origin += ", shifted";
        return;
    }
    }
}

Trial Corpus::trial(u64 number) const
{
    ASSERT(number < runs_max);
    Draw draw { campaign_seed_, number };
    Trial trial;
    if (runs_.empty() || draw.below(fresh_in) == 0) {
        trial.seed = campaign_seed_ * runs_max + number;
        trial.origin = "a fresh seed";
        return trial;
    }
    auto const& from = parent(draw);
    trial.seed = from.seed;
    trial.decisions = from.decisions;
    trial.origin = "run " + std::to_string(from.number);
    auto const way = draw.below(8); // mostly cut: that is what takes a run further
    if (way >= 6 && !from.decisions.empty())
        change(trial, draw);
    if (way <= 6 || from.decisions.empty())
        cut(trial, from, draw);
    return trial;
}

} // namespace gemel::sim
