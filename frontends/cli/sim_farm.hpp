// Runs by the hundred: each goes on from a world that has booted, in a process forked from it,
// where that makes no difference to the run (docs/decisions/0022).
#pragma once

#include "frontends/cli/sim_run.hpp"

#include <map>
#include <memory>

namespace gemel::cli {

class BootedWorld;

class SimFarm {
public:
    // At most `jobs` worlds stand ready. The host outlives it.
    SimFarm(SimHost const& host, unsigned jobs);
    ~SimFarm();
    SimFarm(SimFarm const&) = delete;
    SimFarm& operator=(SimFarm const&) = delete;

    // One that runs. `ready` is readable when it is over.
    struct Running {
        SimSpec spec;
        SimWay way;
        SimChild child; // of a world that boots for this run alone
        BootedWorld* world = nullptr; // or of this one
        int ready = -1;
    };
    Running start(SimSpec const& spec, SimWay const& way = {});
    // Waits for it.
    SimResult finish(Running running);
    SimResult run(SimSpec const& spec, SimWay const& way = {});
    // Which of them is over first: an index.
    static usize wait_any(std::vector<Running> const& running);

private:
    // What the runs of one world have in common.
    struct Boot {
        u64 seed = 0;
        bool kills = false;
        u32 cpus = 1;
        auto operator<=>(Boot const&) const = default;
    };
    struct World {
        Boot boot;
        std::unique_ptr<BootedWorld> world;
    };
    // The first run of each kind of boot boots for itself, in the jail, and all others have to boot
    // to the same L1. Nothing is known before the first is over.
    struct Known {
        std::optional<sim::Hash> l1;
        bool fails = false; // no world comes to stand: each run boots for itself
    };
    static Boot boot_of(SimSpec const& spec);
    BootedWorld* world_for(SimSpec const& spec);
    void drop(BootedWorld const* world);
    void judge_boot(Boot const& boot, SimResult& result);

    SimHost const& host_;
    unsigned jobs_;
    std::vector<World> worlds_;
    std::map<Boot, Known> booted_;
};

} // namespace gemel::cli
