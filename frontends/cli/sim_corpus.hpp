// `gemel sim --corpus FOLDER`: runs that are made from those in the folder, which are kept there
// when they show something new (sim/explore/corpus.hpp). A run is two files: run-N.gemel, its
// journal, and run-N.points, what it covered.
#pragma once

#include "frontends/cli/sim_run.hpp"
#include "sim/explore/corpus.hpp"

#include <string>

namespace gemel::cli {

class SimCorpus {
public:
    // What the folder holds, without what covers nothing more. Null after a message.
    static std::unique_ptr<SimCorpus> open(
        std::string const& folder, SimSpec const& spec, u64 campaign_seed, sim::Guidance guidance);

    // The next run. `spec` says everything but what is particular to it.
    SimSpec next(SimSpec const& spec, u64 number);
    // It is over. False after a message: a file could not be written.
    bool take(SimSpec const& spec, SimResult const& result);
    // The number of the run that next() made, and how.
    u64 number() const { return number_; }
    std::string origin() const;
    // Files of runs that cover nothing more are deleted.
    void minimise();
    // "41 runs kept, 5120 points covered, 12 of them new"
    std::string summary() const;

private:
    SimCorpus(std::string folder, u64 campaign_seed, sim::Guidance guidance);

    bool load(SimSpec const& spec);
    bool load_run(u64 number, SimSpec const& spec);
    bool save(sim::CorpusRun const& run, SimSpec const& spec, SimResult const& result) const;
    std::string path_of(u64 number, char const* ending) const;

    std::string folder_;
    sim::Corpus corpus_;
    u64 covered_before_ = 0;
    u64 number_ = 0;
    std::string origin_;
};

} // namespace gemel::cli
