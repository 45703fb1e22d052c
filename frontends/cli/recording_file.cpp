#include "frontends/cli/recording_file.hpp"

#include "frontends/cli/fixed_place.hpp"
#include "frontends/cli/paths.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr u64 step_bytes = 1u << 20; // the file grows by so much, and later by an eighth
constexpr u64 step_bytes_max = 64u << 20;

} // namespace

u64 build_identity(std::span<u8 const> bundle)
{
    sim::Hash hash;
    hash.add(program_identity());
    for (usize at = 0; at + 8 <= bundle.size(); at += 8) {
        u64 word = 0;
        std::memcpy(&word, bundle.data() + at, sizeof word);
        hash.add(word);
    }
    return hash.high ^ hash.low;
}

// --- writing ---

std::unique_ptr<RecordingFile> RecordingFile::create(
    std::string const& path, u64 bytes_max, std::string& error)
{
    auto const descriptor = ::open(
        path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); // it holds what is typed
    if (descriptor < 0) {
        error = path
            + (errno == EEXIST ? " exists already: take it away, or name another file with -o"
                               : std::string { " cannot be made: " } + std::strerror(errno));
        return nullptr;
    }
    ::flock(descriptor, LOCK_EX | LOCK_NB); // somebody is at it: see recordings_to_forget
    auto* memory = ::mmap(
        nullptr, bytes_max, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (memory == MAP_FAILED) {
        error = path + " cannot be mapped: " + std::strerror(errno);
        ::close(descriptor);
        return nullptr;
    }
    return std::unique_ptr<RecordingFile> { new RecordingFile {
        path, descriptor, static_cast<u8*>(memory), bytes_max } };
}

RecordingFile::RecordingFile(std::string path, int descriptor, u8* memory, u64 bytes_max)
    : path_(std::move(path))
    , descriptor_(descriptor)
    , memory_(memory)
    , bytes_max_(bytes_max)
{
}

RecordingFile::~RecordingFile()
{
    ::munmap(memory_, bytes_max_);
    if (::ftruncate(descriptor_, static_cast<off_t>(used_)) != 0)
        std::perror("gemel: the recording keeps its empty end");
    ::close(descriptor_);
}

void RecordingFile::rename(std::string const& path)
{
    if (::rename(path_.c_str(), path.c_str()) == 0)
        path_ = path;
}

// The room is really there before it is used: a full disk must not end the machine.
u8* RecordingFile::extend(usize bytes) noexcept
{
    if (bytes > bytes_max_ - used_)
        return nullptr;
    if (used_ + bytes > there_) {
        auto const step = std::clamp(there_ / 8, step_bytes, step_bytes_max);
        auto const wanted = std::min(bytes_max_, align_up<u64>(used_ + bytes + step, step_bytes));
        if (::posix_fallocate(
                descriptor_, static_cast<off_t>(there_), static_cast<off_t>(wanted - there_))
            != 0)
            return nullptr;
        there_ = wanted;
    }
    auto* at = memory_ + used_;
    used_ += bytes;
    return at;
}

// --- reading ---

bool is_recording_file(std::string const& path)
{
    u8 bytes[8] = {};
    auto const descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    auto const got = descriptor < 0 ? -1 : ::read(descriptor, bytes, sizeof bytes);
    if (descriptor >= 0)
        ::close(descriptor);
    return got == static_cast<ssize_t>(sizeof bytes) && sim::is_recording(bytes);
}

namespace {

// A restart point is for the very program that made it. False after a message.
bool is_for_this_program(sim::RecordingStart const& start, std::string const& file)
{
    auto const build = build_identity(boot_bundle());
    if (start.build != build) {
        std::fprintf(stderr,
            "gemel: %s begins at a restart point of build %016llx, and this is build %016llx: "
            "only the build that recorded it can go on from there.\n",
            file.c_str(), static_cast<unsigned long long>(start.build),
            static_cast<unsigned long long>(build));
        return false;
    }
    go_to_fixed_place();
    if (hosted::System::can_be_saved() && start.place == place_identity())
        return true;
    std::fprintf(stderr,
        "gemel: %s begins at a restart point, where this program or a library of the host was "
        "another one or lay elsewhere: play it back on the host that recorded it.\n",
        file.c_str());
    return false;
}

} // namespace

std::shared_ptr<ReadRecording const> read_recording(std::string const& path)
{
    auto const descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status { };
    auto* memory = MAP_FAILED;
    if (descriptor >= 0 && ::fstat(descriptor, &status) == 0 && status.st_size > 0)
        memory = ::mmap(
            nullptr, static_cast<usize>(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (descriptor >= 0)
        ::close(descriptor);
    if (memory == MAP_FAILED) {
        std::fprintf(stderr, "gemel: %s cannot be read: %s\n", path.c_str(), std::strerror(errno));
        return nullptr;
    }
    std::span const bytes { static_cast<u8 const*>(memory), static_cast<usize>(status.st_size) };
    std::string error;
    auto recording = sim::recording_of(bytes, error);
    if (!recording) {
        std::fprintf(stderr, "gemel: %s: %s\n", path.c_str(), error.c_str());
        return nullptr;
    }
    if (recording->start.at_restart_point != 0 && !is_for_this_program(recording->start, path))
        return nullptr;
    auto result = std::make_shared<ReadRecording>();
    result->recording = std::move(*recording);
    sim::RecordReader records { bytes, result->recording.begin };
    if (result->recording.start.at_restart_point != 0) {
        auto const time_ns = sim::pass_restart_point(records);
        if (!time_ns) {
            std::fprintf(stderr,
                "gemel: %s: its restart point is damaged or cut off: nothing of it can be used\n",
                path.c_str());
            return nullptr;
        }
        result->begin_ns = result->length_ns = *time_ns;
    }
    u64 before_ns = 0; // a time that was known before the last reading
    for (; records.next().kind != sim::RecordKind::nothing; records.take()) {
        if (records.next().kind == sim::RecordKind::time)
            before_ns = result->length_ns;
        if (records.next().kind == sim::RecordKind::time)
            result->length_ns += sim::Fields { records.next().bytes }.number();
        if (records.next().kind == sim::RecordKind::typed)
            result->last_key_ns = before_ns;
        sim::RecordingEnd end;
        if (records.next().kind == sim::RecordKind::end && decode(records.next().bytes, end)) {
            result->has_end = true;
            result->off_by_itself = end.how == sim::RecordingEnd::How::off;
            result->image_changed_ns = end.image_changed_ns;
        }
    }
    result->file_changed_ns = static_cast<u64>(status.st_mtim.tv_sec) * 1'000'000'000;
    result->damaged_bytes = records.damaged() ? bytes.size() - records.good_bytes() : 0;
    return result;
}

} // namespace gemel::cli
