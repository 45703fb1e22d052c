// Journals of runs that showed something new of the system, and how the next run is made from them:
// cut off somewhere and gone on with other chance, joined, shifted, with decisions left out or
// moved. A function of (campaign seed, what is in it, number of the run).
#pragma once

#include "sim/explore/coverage.hpp"
#include "sim/explore/strategy.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gemel::sim {

// off: runs are kept whatever they showed, for comparison.
enum class Guidance : u8 { by_coverage, off };

// A run that is kept.
struct CorpusRun {
    u64 number = 0;
    u64 seed = 0; // its script's and its entropy's
    u64 begun_event = 0; // as in Outcome (sim/run)
    u64 free_event = 0;
    StrategyKind strategy = StrategyKind::run_to_block; // by which it ended
    std::vector<Decision> decisions; // all of them
    std::vector<CoveredPoint> covered; // in ascending order
    // At which it showed something that no run before it had, where a branch makes a difference.
    std::vector<u32> new_events;
};

// How a run is made.
struct Trial {
    u64 seed = 0;
    std::optional<std::vector<Decision>> decisions; // none: the seed's own
    // From this event on chance is another seed's, entropy excepted; 0: from none on.
    u64 branch_event = 0;
    u64 branch_seed = 0;
    StrategyKind branch_strategy = StrategyKind::portfolio;
    std::string origin; // for people
};

class Corpus {
public:
    static constexpr u64 runs_max = u64 { 1 } << 24; // of a campaign: numbers are below
    static constexpr u64 campaigns_max = u64 { 1 } << 32;

    explicit Corpus(u64 campaign_seed, Guidance guidance = Guidance::by_coverage);

    // From an earlier start, in the order of their numbers.
    void add(CorpusRun run);
    // How run `number` is made; `number` is below runs_max.
    Trial trial(u64 number) const;
    // True: it showed something that no other did, and is kept.
    bool take(CorpusRun run);
    // Leaves out runs that cover nothing that the others do not. Those with few decisions stay.
    void minimise();

    std::span<CorpusRun const> runs() const { return runs_; }
    u64 covered() const { return covered_; } // points

private:
    class Draw;

    CorpusRun const& parent(Draw& draw) const;
    CorpusRun const& with_rare_point(Draw& draw) const;
    void cut(Trial& trial, CorpusRun const& parent, Draw& draw) const;
    void change(Trial& trial, Draw& draw) const;

    u64 campaign_seed_;
    Guidance guidance_;
    std::vector<CorpusRun> runs_;
    std::vector<u32> holders_; // by point: how many of the runs cover it
    u64 covered_ = 0;
};

} // namespace gemel::sim
