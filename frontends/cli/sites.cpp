// `gemel sites`: the table that the linker made, and how often a few seeds came by.
#include "frontends/cli/options.hpp"
#include "frontends/cli/sim.hpp"
#include "frontends/cli/sim_farm.hpp"

#include <gemel/hosted/site.hpp>

#include <cstdio>

namespace gemel::cli {

int show_sites(SimOptions const& options, bool never_hit_only)
{
    unsigned long long first = 0;
    unsigned long long last = 0;
    if (std::sscanf(options.seeds.c_str(), "%llu..%llu", &first, &last) != 2 || last < first) {
        std::fprintf(stderr, "gemel: --seeds %s: say A..B\n", options.seeds.c_str());
        return exit_usage;
    }
    auto spec = spec_of(options);
    if (!spec)
        return exit_usage;
    auto const host = SimHost::open();
    if (!host)
        return exit_failed;
    SimFarm farm { *host, 1 };
    auto const sites = hosted::sites();
    std::vector<u64> reached(sites.size());
    for (auto seed = first; seed <= last; ++seed) {
        spec->seed = seed;
        auto const result = farm.run(*spec);
        for (usize i = 0; i < result.reached.size() && i < reached.size(); ++i)
            reached[i] += result.reached[i];
    }
    for (usize i = 0; i < sites.size(); ++i)
        if (!never_hit_only || reached[i] == 0)
            std::printf("%10llu  %-9s %-28s %s:%u\n", static_cast<unsigned long long>(reached[i]),
                hosted::name_of(sites[i].kind), sites[i].label, sites[i].file, sites[i].line);
    return exit_ok;
}

} // namespace gemel::cli
