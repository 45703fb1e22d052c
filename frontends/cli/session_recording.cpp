#include "frontends/cli/session_recording.hpp"

#include "frontends/cli/fixed_place.hpp"
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
#include <utility>
#include <vector>

namespace gemel::cli {

namespace {

constexpr u64 kept_bytes_max = u64 { 64 } << 30; // of a recording that was asked for
constexpr u64 last_bytes_max = u64 { 1 } << 30; // of one that waits for a failure
constexpr usize left_over_max = 8; // recordings of failures, and of processes that were killed
constexpr char const* usual_name = ".gemel";
constexpr char const* younger_name = ".younger";
constexpr u64 window_ns_least = 100'000'000;
constexpr u64 soon_ns = 10'000'000; // where a restart point was not possible

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

unsigned long long kibibytes(u64 bytes)
{
    return (bytes + 1023) / 1024;
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
    for (auto const& entry : std::filesystem::directory_iterator { folder, ignored }) {
        if (!entry.path().filename().string().starts_with("run-") || is_used(entry.path()))
            continue;
        if (entry.path().extension() == younger_name)
            ::unlink(entry.path().c_str()); // there is an older one that holds more
        else
            paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end(), std::greater<> {}); // their names begin with the time
    for (usize i = left_over_max - 1; i < paths.size(); ++i)
        ::unlink(paths[i].c_str());
}

} // namespace

std::string default_recording_name()
{
    return "session-" + stamp() + ".gemel";
}

SessionRecording::SessionRecording(std::string path, Keep keep, u64 window_ns)
    : path_(std::move(path))
    , keep_(keep)
    , window_ns_(window_ns)
{
}

std::string SessionRecording::path_of(unsigned number, Name name) const
{
    if (window_ns_ == 0)
        return path_;
    return path_ + "-" + std::to_string(number) + (name == Name::usual ? usual_name : younger_name);
}

std::unique_ptr<SessionRecording::Part> SessionRecording::begin_part(Name name, std::string& error)
{
    auto part = std::make_unique<Part>();
    part->number = ++number_;
    part->file = RecordingFile::create(path_of(part->number, name),
        keep_ == Keep::after_failure ? last_bytes_max : kept_bytes_max, error);
    return part->file ? std::move(part) : nullptr;
}

bool SessionRecording::begin(RunOptions const& options, std::unique_ptr<SessionRecording>& result)
{
    auto const last = !options.record_last.empty();
    if (!last && options.record_to.empty())
        return true;
    auto const window_ns = last ? nanoseconds_of(options.record_last) : std::optional<u64> { 0 };
    if (!window_ns)
        return false;
    std::string path = options.record_to;
    if (last) {
        auto const folder = state_directory() + "/recordings";
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        forget_old(folder);
        path = folder + "/run-" + stamp() + "-" + std::to_string(::getpid());
    }
    std::unique_ptr<SessionRecording> recording { new SessionRecording { path,
        last ? Keep::after_failure : Keep::always,
        last ? std::max(*window_ns, window_ns_least) : 0 } };
    std::string error;
    recording->older_ = recording->begin_part(Name::usual, error);
    if (!recording->older_) {
        std::fprintf(stderr, "gemel: %s\n", error.c_str());
        return false;
    }
    result = std::move(recording);
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
    auto& writer = older_->writer.emplace(*older_->file, encode(start_));
    if (writer.full())
        std::fprintf(stderr, "gemel: %s: no space is left for the recording\n",
            older_->file->path().c_str());
    return !writer.full();
}

void SessionRecording::live(hosted::System& system)
{
    world_.emplace(system, trace_, &*older_->writer);
    world_->on_death([this] {
        auto const& path = older_->file->path();
        std::fprintf(stderr, "gemel: what led to this is in %s\n  again: gemel replay %s --gdb\n",
            path.c_str(), path.c_str());
        if (younger_)
            ::unlink(younger_->file->path().c_str());
    });
    if (window_ns_ != 0 && hosted::System::can_be_saved())
        world_->keep_window(window_ns_);
    else if (window_ns_ != 0)
        std::fprintf(stderr,
            "gemel: the recording will begin at the boot: the program does not lie where the "
            "linker put it, or is built with a sanitizer or for --preempt\n");
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

void SessionRecording::restart_point(
    hosted::System& system, sim::Uart16550& uart, sim::CmosClock& clock, sim::VirtioBlock& disk)
{
    auto const began_ns = host_time_ns();
    std::string error;
    auto part = begin_part(Name::younger, error);
    if (!part)
        return world_->not_before(window_ns_); // there may be room then
    auto start = start_;
    start.at_restart_point = 1;
    start.boot_hidden = 0;
    start.place = place_identity();
    part->writer.emplace(*part->file, encode(start));
    part->begin_ns = world_->time_ns();
    sim::Surroundings const around { *world_, trace_, uart, clock, disk, disk_->requests() };
    auto const outcome = write_restart_point(system, around, *part->writer);
    if (outcome != sim::RestartOutcome::written) {
        ::unlink(part->file->path().c_str());
        return world_->not_before(outcome == sim::RestartOutcome::not_here ? soon_ns : window_ns_);
    }
    disk_->begins();
    world_->begins(*part->writer);
    part->point_bytes = part->file->bytes();
    part->point_ns = static_cast<u64>(host_time_ns() - began_ns);
    auto over = std::exchange(older_, younger_ ? std::move(younger_) : nullptr);
    younger_ = std::move(part);
    if (!older_)
        older_ = std::move(over); // there was but one
    else
        older_->file->rename(path_of(older_->number, Name::usual));
    if (over)
        end_part(*over);
}

// Whether it is told of and kept.
void SessionRecording::end_part(Part& part)
{
    Kept kept { part.file->path(), part.file->bytes(), world_->time_ns() - part.begin_ns,
        part.point_bytes, part.point_ns, world_->take_failure() };
    part.file.reset();
    if (keep_ == Keep::always || (kept.failure && kept_.size() < left_over_max))
        kept_.push_back(std::move(kept));
    else
        ::unlink(kept.path.c_str());
}

void SessionRecording::finish(int status)
{
    world_->finish(static_cast<u8>(status), changed_ns(image_));
    if (younger_)
        ::unlink(younger_->file->path().c_str());
    end_part(*older_);
}

void SessionRecording::tell_of(Kept const& kept)
{
    if (auto const& failure = kept.failure)
        std::fprintf(stderr, "gemel: %s failed at %s: %s\n",
            failure->task.empty() ? "the machine" : failure->task.c_str(),
            time_text(failure->time_ns).c_str(), failure->what.c_str());
    std::fprintf(stderr, "gemel: recorded %s in %s (%llu KiB)\n", time_text(kept.length_ns).c_str(),
        kept.path.c_str(), kibibytes(kept.bytes));
    if (kept.point_bytes != 0)
        std::fprintf(stderr, "gemel: it begins at a restart point (%llu KiB, made in %.1f ms)\n",
            kibibytes(kept.point_bytes), static_cast<double>(kept.point_ns) / 1e6);
    std::fprintf(stderr, "  again: gemel replay %s\n", kept.path.c_str());
}

void SessionRecording::tell()
{
    for (auto const& kept : kept_)
        tell_of(kept);
    if (kept_.empty())
        return;
    if (world_->gave_up())
        std::fprintf(stderr,
            "gemel: the recording ends before that: a program computed without a call to the "
            "kernel for too long, and others waited for the processor\n");
    if (world_->is_full())
        std::fprintf(stderr, "gemel: the recording ends before that: there was no more room\n");
}

} // namespace gemel::cli
