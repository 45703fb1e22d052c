// How fast the events of a run become a trace for ui.perfetto.dev: `bench_trace FILE`, of `gemel
// sim
// --events`. The best of the rounds, in memory.
#include "frontends/cli/event_file.hpp"
#include "sim/trace/perfetto.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

int main(int count, char** arguments)
{
    constexpr int rounds = 9;
    std::string error = "bench_trace FILE";
    auto const file = count == 2 ? gemel::cli::read_event_file(arguments[1], error) : std::nullopt;
    if (!file || file->events.empty()) {
        std::fprintf(stderr, "%s\n", error.c_str());
        return 2;
    }
    auto best = 1e9;
    std::size_t bytes = 0;
    for (int i = 0; i < rounds; ++i) {
        auto const begun = std::chrono::steady_clock::now();
        bytes = gemel::sim::perfetto_trace(file->events, file->names).size();
        std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begun;
        best = std::min(best, took.count());
    }
    auto const events = static_cast<double>(file->events.size());
    std::printf("%.2f million events a second, %.1f bytes each, %zu events\n", events / best / 1e6,
        static_cast<double>(bytes) / events, file->events.size());
}
