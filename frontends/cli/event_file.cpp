#include "frontends/cli/event_file.hpp"

#include "sim/trace/perfetto.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr char magic[8] = { 'G', 'E', 'M', 'E', 'V', 'T', '0', '2' };
constexpr u64 events_max = u64 { 1 } << 32;

struct Header {
    char magic[8];
    u64 events;
    u32 digests;
    u32 names;
    sim::Hash hash;
};

bool write_all(int descriptor, void const* from, usize bytes)
{
    auto const* at = static_cast<char const*>(from);
    while (bytes > 0) {
        auto const wrote = ::write(descriptor, at, bytes);
        if (wrote <= 0)
            return false;
        at += wrote;
        bytes -= static_cast<usize>(wrote);
    }
    return true;
}

char const* name_of(sim::EventKind kind)
{
    switch (kind) {
    case sim::EventKind::enter:
        return "enter";
    case sim::EventKind::resume:
        return "resume";
    case sim::EventKind::interrupt:
        return "interrupt";
    case sim::EventKind::fault:
        return "fault";
    case sim::EventKind::decision:
        return "decision";
    case sim::EventKind::console:
        return "console";
    case sim::EventKind::phase:
        return "phase";
    case sim::EventKind::power_cut:
        return "power-cut";
    }
    return "?";
}

} // namespace

bool write_event_file(int descriptor, sim::Outcome const& outcome)
{
    Header header {};
    std::memcpy(header.magic, magic, sizeof magic);
    header.events = outcome.log.size();
    header.digests = static_cast<u32>(outcome.digests.size());
    header.names = static_cast<u32>(outcome.names.size());
    header.hash = outcome.l1;
    return write_all(descriptor, &header, sizeof header)
        && write_all(descriptor, outcome.log.data(), outcome.log.size() * sizeof(sim::Event))
        && write_all(descriptor, outcome.digests.data(), outcome.digests.size() * sizeof(sim::Hash))
        && write_all(
            descriptor, outcome.names.data(), outcome.names.size() * sizeof(sim::TaskName));
}

std::optional<EventFile> read_event_file(std::string const& path, std::string& error)
{
    std::ifstream file { path, std::ios::binary };
    Header header {};
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    if (!file || std::memcmp(header.magic, magic, sizeof magic) != 0) {
        error = path + " holds no events: make one with `gemel sim --seed N --events FILE`";
        return std::nullopt;
    }
    file.seekg(0, std::ios::end);
    auto const bytes = static_cast<u64>(file.tellg());
    auto const digests = header.events / sim::Trace::digest_events;
    if (header.events > events_max || header.digests != digests
        || bytes
            != sizeof header + header.events * sizeof(sim::Event) + digests * sizeof(sim::Hash)
                + header.names * sizeof(sim::TaskName)) {
        error = path + " is cut off or damaged: make it again";
        return std::nullopt;
    }
    EventFile result;
    result.hash = header.hash;
    result.events.resize(header.events);
    result.digests.resize(digests);
    file.seekg(sizeof header);
    file.read(reinterpret_cast<char*>(result.events.data()),
        static_cast<std::streamsize>(header.events * sizeof(sim::Event)));
    file.read(reinterpret_cast<char*>(result.digests.data()),
        static_cast<std::streamsize>(digests * sizeof(sim::Hash)));
    result.names.resize(header.names);
    file.read(reinterpret_cast<char*>(result.names.data()),
        static_cast<std::streamsize>(header.names * sizeof(sim::TaskName)));
    return result;
}

bool write_traces(std::string const& events, std::string const& text, std::string const& perfetto)
{
    std::string error;
    auto const file = read_event_file(events, error);
    if (!file) {
        std::fprintf(stderr, "gemel: %s\n", error.c_str());
        return false;
    }
    if (!text.empty()) {
        std::ofstream out { text };
        for (usize i = 0; i < file->events.size(); ++i)
            out << i << ' ' << text_of(file->events[i]) << '\n';
        if (!out)
            error = text;
    }
    if (!perfetto.empty()) {
        std::ofstream out { perfetto, std::ios::binary };
        out << sim::perfetto_trace(file->events, file->names);
        if (!out)
            error = perfetto;
    }
    if (!error.empty())
        std::fprintf(stderr, "gemel: %s cannot be written\n", error.c_str());
    return error.empty();
}

std::string text_of(sim::Event const& event)
{
    char text[192];
    std::snprintf(text, sizeof text,
        "%llu.%09llu cpu %u %-9s thread %-3u task %-3u call %04x  %016llx %016llx",
        static_cast<unsigned long long>(event.time_ns / 1'000'000'000),
        static_cast<unsigned long long>(event.time_ns % 1'000'000'000), event.cpu,
        name_of(event.kind), event.thread, event.task, event.call,
        static_cast<unsigned long long>(event.a), static_cast<unsigned long long>(event.b));
    return text;
}

} // namespace gemel::cli
