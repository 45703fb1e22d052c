// `gemel diverge A B`: the first event in which two runs differ. Digests are prefixes' hashes, so
// the first digest that differs is found by bisection and only its block is read.
#include "frontends/cli/event_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/sim.hpp"

#include <algorithm>
#include <cstdio>

namespace gemel::cli {

namespace {

constexpr usize around = 8; // events shown before and after

usize first_difference(EventFile const& left, EventFile const& right)
{
    auto const blocks = std::min(left.digests.size(), right.digests.size());
    usize low = 0;
    auto high = blocks;
    while (low < high) {
        auto const middle = (low + high) / 2;
        if (left.digests[middle] == right.digests[middle])
            low = middle + 1;
        else
            high = middle;
    }
    auto const end = std::min(left.events.size(), right.events.size());
    auto at = low * sim::Trace::digest_events;
    while (at < end && left.events[at] == right.events[at])
        ++at;
    return at;
}

void show(char mark, EventFile const& file, usize at)
{
    if (at < file.events.size())
        std::printf("%c %zu  %s\n", mark, at, text_of(file.events[at]).c_str());
    else
        std::printf("%c %zu  (the run has ended)\n", mark, at);
}

} // namespace

int diverge(std::string const& left_path, std::string const& right_path)
{
    std::string error;
    auto const left = read_event_file(left_path, error);
    auto const right = left ? read_event_file(right_path, error) : std::nullopt;
    if (!left || !right) {
        std::fprintf(stderr, "gemel: %s\n", error.c_str());
        return exit_failed;
    }
    auto const at = first_difference(*left, *right);
    if (at == left->events.size() && at == right->events.size()) {
        std::printf("equal: %zu events, L1 %s\n", at, text_of(left->hash).c_str());
        return exit_ok;
    }
    std::printf("the runs differ from event %zu on (%s has %zu, %s has %zu)\n", at,
        left_path.c_str(), left->events.size(), right_path.c_str(), right->events.size());
    for (auto i = at - std::min(at, around); i < at; ++i)
        show(' ', *left, i);
    for (auto i = at; i < at + around; ++i) {
        auto const differ = i >= left->events.size() || i >= right->events.size()
            || !(left->events[i] == right->events[i]);
        if (!differ) {
            show(' ', *left, i);
            continue;
        }
        show('<', *left, i);
        show('>', *right, i);
    }
    return exit_nondeterminism;
}

} // namespace gemel::cli
