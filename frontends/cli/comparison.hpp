// A run beside itself: in every way that must make no difference.
#pragma once

#include "frontends/cli/sim_farm.hpp"

#include <string_view>

namespace gemel::cli {

// The check of a failure that is: two runs of one seed were not equal.
inline constexpr std::string_view different_check = "different";

// `result` is what came of `spec` in `way`, which is an executed run. Once more in every respect,
// then with another heap fill and stack, then from a world that has booted. "": all are equal;
// otherwise their hashes.
std::string difference_to_itself(SimHost const& host, SimFarm& farm, SimSpec const& spec,
    SimWay const& way, SimResult const& result);

// The same run with that failure, for its journal.
SimResult as_different(SimResult result);

// What the words behind DIFFERENT are: the seed and the hashes.
std::string difference_line(SimSpec const& spec, std::string const& hashes);

} // namespace gemel::cli
