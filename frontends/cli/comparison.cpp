#include "frontends/cli/comparison.hpp"

namespace gemel::cli {

std::string difference_to_itself(SimHost const& host, SimFarm& farm, SimSpec const& spec,
    SimWay const& way, SimResult const& result)
{
    auto const again = host.run(spec, way);
    auto other = way;
    other.perturbation = { 0x5A, 65536 + 4096 * 3 };
    other.process = Process::forked;
    auto const disturbed = host.run(spec, other);
    auto const booted = farm.run(spec);
    if (again.l1 == result.l1 && again.l2 == result.l2 && disturbed.l1 == result.l1
        && booted.l1 == result.l1)
        return "";
    return "L1 " + text_of(result.l1) + ", again " + text_of(again.l1) + ", disturbed "
        + text_of(disturbed.l1) + ", booted before " + text_of(booted.l1) + "; L2 "
        + text_of(result.l2) + ", again " + text_of(again.l2);
}

SimResult as_different(SimResult result)
{
    result.verdict = Verdict::leaked;
    result.failure = { std::string { different_check }, "two runs of it are not equal", "",
        result.time_ns, result.events };
    return result;
}

std::string difference_line(SimSpec const& spec, std::string const& hashes)
{
    return "DIFFERENT seed " + std::to_string(spec.seed) + ": " + hashes;
}

} // namespace gemel::cli
