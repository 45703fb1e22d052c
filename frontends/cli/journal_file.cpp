#include "frontends/cli/journal_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

namespace gemel::cli {

std::optional<sim::Journal> read_journal(std::string const& path, std::string& note)
{
    std::ifstream file { path, std::ios::binary };
    if (!file) {
        note = std::strerror(errno);
        return std::nullopt;
    }
    std::vector<u8> bytes;
    while (file && bytes.size() < sim::Journal::bytes_max_whole) {
        char part[4096];
        file.read(part, sizeof part);
        bytes.insert(bytes.end(), part, part + file.gcount());
    }
    sim::Journal journal;
    sim::JournalError error;
    if (!sim::decode(bytes, journal, error)) {
        note = error.what;
        return std::nullopt;
    }
    return journal;
}

bool write_journal(
    std::string const& path, SimSpec const& spec, SimResult const& result, JournalSize size)
{
    sim::Journal journal;
    journal.seed = spec.seed;
    journal.workload = spec.workload;
    journal.strategy = spec.strategy;
    journal.fault_kinds = spec.fault_kinds;
    journal.preempts = spec.preempts;
    journal.races = spec.races;
    journal.cpus = spec.cpus;
    journal.until_ns = spec.until_ns;
    journal.check = result.failure.check;
    journal.task = result.failure.task;
    journal.what = result.failure.what;
    journal.what_hash = sim::failure_hash(result.failure.what);
    journal.l1 = result.l1;
    journal.decisions = result.decisions;
    auto const bytes = sim::encode(journal,
        size == JournalSize::whole ? sim::Journal::bytes_max_whole : sim::Journal::bytes_max);
    // Whole or not at all: written beside, then put in place.
    auto const beside = path + ".new";
    std::ofstream file { beside, std::ios::binary };
    file.write(
        reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (file && std::rename(beside.c_str(), path.c_str()) == 0)
        return true;
    std::fprintf(stderr, "gemel: %s cannot be written: %s\n", path.c_str(), std::strerror(errno));
    return false;
}

SimSpec spec_of(sim::Journal const& journal)
{
    SimSpec spec;
    spec.seed = journal.seed;
    spec.workload = journal.workload;
    spec.strategy = journal.strategy;
    spec.fault_kinds = journal.fault_kinds;
    spec.preempts = journal.preempts;
    spec.races = journal.races;
    spec.cpus = journal.cpus;
    spec.until_ns = journal.until_ns;
    if (journal.complete)
        spec.decisions = journal.decisions;
    return spec;
}

} // namespace gemel::cli
