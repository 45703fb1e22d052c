// The simulator's part of the command line.
#pragma once

#include "frontends/cli/other_build.hpp"
#include "frontends/cli/sim.hpp"

#include <CLI/CLI.hpp>

namespace gemel::cli {

// Does not return when the words are those of SimHost's executed run.
void run_simulation_words(int count, char** words);

class SimCommands {
public:
    explicit SimCommands(CLI::App& app); // adds the sub-commands
    SimCommands(SimCommands const&) = delete;

    // Runs the one that was given; null: it was none of these.
    // `words` are the program's.
    std::optional<int> run(std::vector<std::string> const& words);

private:
    std::optional<OtherBuild> needed_build() const;
    void add_sim(CLI::App& app);
    void add_run_options(CLI::App& command);
    void add_corpus_options(CLI::App& command);
    void add_replay(CLI::App& app);
    void add_when(CLI::App& app);

    SimOptions options_;
    SimOptions sites_options_;
    std::string left_;
    std::string right_;
    bool never_hit_ = false;
    ReplayOptions replay_options_;
    ShrinkOptions shrink_options_;
    WhenOptions when_options_;
    CLI::App* replay_ = nullptr;
    CLI::App* shrink_ = nullptr;
    CLI::App* when_ = nullptr;
    CLI::App* sim_ = nullptr;
    CLI::App* diverge_ = nullptr;
    CLI::App* sites_ = nullptr;
};

} // namespace gemel::cli
