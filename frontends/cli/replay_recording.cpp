// `gemel replay` of a recorded session.
#include "frontends/cli/event_file.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/recording_file.hpp"
#include "frontends/cli/replay_debugger.hpp"
#include "frontends/cli/replay_shell.hpp"
#include "frontends/cli/serial_filter.hpp"
#include "frontends/cli/sim.hpp"
#include "frontends/cli/verdict.hpp"

#include <cstdio>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

// A replay needs no more of the processor than the session took, and some for digests.
constexpr u64 processor_seconds_least = 60;

std::string read_all(int descriptor)
{
    std::string text;
    char bytes[65536];
    ::lseek(descriptor, 0, SEEK_SET);
    for (ssize_t got = 0; (got = ::read(descriptor, bytes, sizeof bytes)) > 0;)
        text.append(bytes, static_cast<usize>(got));
    return text;
}

// What the session's user saw.
void show_transcript(sim::RecordingStart const& start, std::string const& console)
{
    SerialFilter filter { start.boot_hidden != 0 ? BootText::hide : BootText::show,
        start.at_prompt != 0 ? Use::prompt : Use::script,
        [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); } };
    filter.take(console);
    filter.finish();
    std::fflush(stdout);
}

void tell(SimResult const& result, ReadRecording const& read)
{
    auto const& failure = result.failure;
    auto const l1 = text_of(result.l1);
    auto const number = [](u64 value) { return static_cast<unsigned long long>(value); };
    if (failure.check == "difference") {
        std::printf("DIFFERENT from event %llu on or before: %s  t=%s  L1 %s\n",
            number(failure.event), failure.what.c_str(), time_text(failure.time_ns).c_str(),
            l1.c_str());
        if (read.recording.start.build != build_identity(boot_bundle()))
            std::printf("  It was recorded by another build: play it back with that one.\n");
        else
            std::printf("  The build is the one that recorded it: something is no function of "
                        "what was recorded.\n");
        return;
    }
    if (result.verdict == Verdict::leaked || result.verdict == Verdict::inconclusive) {
        std::printf("%s %s  \"%s\"\n", result.verdict == Verdict::leaked ? "LEAK" : "INCONCLUSIVE",
            failure.check.c_str(), failure.what.c_str());
        return;
    }
    if (result.verdict == Verdict::failed)
        std::printf("FAIL %s  \"%s\"  t=%s  event %llu  task %s\n", failure.check.c_str(),
            failure.what.c_str(), time_text(failure.time_ns).c_str(), number(failure.event),
            failure.task.empty() ? "-" : failure.task.c_str());
    auto const from = read.begin_ns != 0 ? ", from " + time_text(read.begin_ns) + " on" : "";
    std::printf("played back as recorded%s%s: t=%s  %llu events  L1 %s\n", from.c_str(),
        read.has_end ? "" : ", to where the recording is cut off",
        time_text(result.time_ns).c_str(), number(result.events), l1.c_str());
}

int status_of(SimResult const& result)
{
    if (result.verdict == Verdict::leaked || result.failure.check == "difference")
        return exit_nondeterminism;
    return result.verdict == Verdict::passed ? exit_ok : exit_failed;
}

} // namespace

int replay_recording(ReplayOptions const& options)
{
    auto const read = read_recording(options.file);
    if (!read)
        return exit_failed;
    if (read->damaged_bytes != 0)
        std::fprintf(stderr,
            "gemel: %s: its last %zu bytes are damaged; what is before them is played back\n",
            options.file.c_str(), read->damaged_bytes);
    SimWay way;
    if (!way_of(options, way))
        return exit_usage;
    if (way.stop_ns != 0 && way.stop_ns < read->begin_ns) {
        std::fprintf(stderr, "gemel: %s begins at %s: say a later --to\n", options.file.c_str(),
            time_text(read->begin_ns).c_str());
        return exit_usage;
    }
    if (options.gdb)
        return replay_in_debugger(options);
    auto const host = SimHost::open();
    if (!host)
        return exit_failed;
    SimSpec spec;
    spec.recording = { read, &read->recording };
    spec.processor_seconds_max = processor_seconds_least + 2 * read->length_ns / 1'000'000'000;
    if (options.shell)
        return replay_shell(*read, host->setup_of(spec), way);
    if (options.serve)
        return serve_replay(*host, spec, way);
    if (options.console)
        way.transcript = ::memfd_create("gemel-transcript", MFD_CLOEXEC);
    auto const result = host->run(spec, way);
    if (options.console)
        show_transcript(read->recording.start, read_all(way.transcript));
    tell_open_jail(result);
    tell(result, *read);
    auto const traced = !options.trace_text.empty() || !options.trace.empty();
    if (traced && !write_traces(way.events, options.trace_text, options.trace))
        return exit_failed;
    if ((way.stop_event != 0 || way.stop_ns != 0) && !came_to_stop(options.to, result))
        return exit_failed;
    return status_of(result);
}

} // namespace gemel::cli
