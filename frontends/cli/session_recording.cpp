#include "frontends/cli/session_recording.hpp"

#include "frontends/cli/host_clock.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/sim.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace gemel::cli {

namespace {

constexpr u64 kept_bytes_max = u64 { 64 } << 30; // of a recording that was asked for
constexpr u64 last_bytes_max = u64 { 1 } << 30; // of one that waits for a failure
constexpr usize left_over_max = 8; // recordings of processes that were killed

// Local time, so that a person finds it.
std::string stamp()
{
    char text[32] = {};
    auto const now = std::time(nullptr);
    std::tm parts {};
    ::localtime_r(&now, &parts);
    std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &parts);
    return text;
}

u64 changed_ns(int descriptor)
{
    struct stat status { };
    if (::fstat(descriptor, &status) != 0)
        return 0;
    return static_cast<u64>(status.st_mtim.tv_sec) * 1'000'000'000
        + static_cast<u64>(status.st_mtim.tv_nsec);
}

bool is_used(std::string const& path)
{
    auto const descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    auto const used = descriptor >= 0 && ::flock(descriptor, LOCK_SH | LOCK_NB) != 0;
    if (descriptor >= 0)
        ::close(descriptor);
    return used;
}

// What earlier sessions left behind a failure, or when they were killed: the newest are kept.
void forget_old(std::string const& folder)
{
    std::vector<std::string> paths;
    std::error_code ignored;
    for (auto const& entry : std::filesystem::directory_iterator { folder, ignored })
        if (entry.path().filename().string().starts_with("run-") && !is_used(entry.path()))
            paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end(), std::greater<> {}); // their names begin with the time
    for (usize i = left_over_max - 1; i < paths.size(); ++i)
        ::unlink(paths[i].c_str());
}

} // namespace

std::string default_recording_name()
{
    return "session-" + stamp() + ".gemel";
}

SessionRecording::SessionRecording(std::string path, Keep keep)
    : path_(std::move(path))
    , keep_(keep)
{
}

bool SessionRecording::begin(RunOptions const& options, std::unique_ptr<SessionRecording>& result)
{
    auto const last = !options.record_last.empty();
    if (!last && options.record_to.empty())
        return true;
    if (last && !nanoseconds_of(options.record_last))
        return false;
    std::string path = options.record_to;
    if (last) {
        auto const folder = state_directory() + "/recordings";
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        forget_old(folder);
        path = folder + "/run-" + stamp() + "-" + std::to_string(::getpid()) + ".gemel";
    }
    std::string error;
    auto file = RecordingFile::create(path, last ? last_bytes_max : kept_bytes_max, error);
    if (!file) {
        std::fprintf(stderr, "gemel: %s\n", error.c_str());
        return false;
    }
    result.reset(new SessionRecording { path, last ? Keep::after_failure : Keep::always });
    result->file_ = std::move(file);
    return true;
}

bool SessionRecording::describe(hosted::Options const& machine, RunOptions const& options,
    Input input, std::string const& image_path, int image)
{
    image_ = image;
    start_.build = build_identity(machine.bundle);
    start_.memory_bytes = machine.memory_bytes;
    start_.disk_bytes = static_cast<u64>(::lseek(image, 0, SEEK_END));
    start_.wall_clock_s = host_seconds();
    start_.image_changed_ns = changed_ns(image);
    start_.cpus = machine.cpus;
    start_.disk_writable = options.access == Access::read_write;
    start_.boot_hidden = options.script && options.verbosity == Verbosity::quiet;
    start_.at_prompt = input == Input::terminal;
    start_.command_line = machine.command_line;
    std::error_code error;
    start_.image = std::filesystem::absolute(image_path, error).string();
    writer_.emplace(*file_, encode(start_));
    if (writer_->full())
        std::fprintf(stderr, "gemel: %s: no space is left for the recording\n", path_.c_str());
    return !writer_->full();
}

void SessionRecording::live(hosted::System& system)
{
    world_.emplace(system, trace_, &*writer_);
    world_->on_death([this] {
        std::fprintf(stderr, "gemel: what led to this is in %s\n  again: gemel replay %s --gdb\n",
            path_.c_str(), path_.c_str());
    });
    system.machine().live_in(*world_);
}

ConsoleTap& SessionRecording::tap()
{
    return tap_;
}

void SessionRecording::Tap::shown(std::string_view bytes)
{
    for (auto const byte : bytes)
        recording_.world_->console(byte);
}

i64 SessionRecording::wall_clock()
{
    return world_->wall_clock(host_seconds(), start_.wall_clock_s);
}

sim::Medium& SessionRecording::disk(sim::Medium& medium)
{
    return disk_.emplace(medium, *world_);
}

void SessionRecording::finish(int status)
{
    length_ns_ = world_->time_ns();
    world_->finish(static_cast<u8>(status), changed_ns(image_));
}

void SessionRecording::tell()
{
    auto const bytes = file_->bytes();
    file_.reset();
    auto const& failure = world_->failure();
    if (keep_ == Keep::after_failure && !failure) {
        ::unlink(path_.c_str());
        return;
    }
    if (failure)
        std::fprintf(stderr, "gemel: %s failed at %s: %s\n",
            failure->task.empty() ? "the machine" : failure->task.c_str(),
            time_text(failure->time_ns).c_str(), failure->what.c_str());
    std::fprintf(stderr, "gemel: recorded %s in %s (%llu KiB)\n  again: gemel replay %s\n",
        time_text(length_ns_).c_str(), path_.c_str(),
        static_cast<unsigned long long>((bytes + 1023) / 1024), path_.c_str());
    if (world_->gave_up())
        std::fprintf(stderr,
            "gemel: the recording ends before that: a program computed without a call to the "
            "kernel for too long, and others waited for the processor\n");
    if (world_->is_full())
        std::fprintf(stderr, "gemel: the recording ends before that: there was no more room\n");
}

} // namespace gemel::cli
