// Recordings as files of the host.
#pragma once

#include "sim/record/played_run.hpp"

#include <memory>
#include <optional>
#include <string>

namespace gemel::cli {

// A file that grows under a mapping: what was put into it is the host's, whatever becomes of this
// process.
class RecordingFile final : public sim::RecordStore {
public:
    // Null, and why in `error`: it is there already, or cannot be made.
    static std::unique_ptr<RecordingFile> create(
        std::string const& path, u64 bytes_max, std::string& error);
    ~RecordingFile() override;
    RecordingFile(RecordingFile const&) = delete;
    RecordingFile& operator=(RecordingFile const&) = delete;

    u8* extend(usize bytes) noexcept override;

    u64 bytes() const { return used_; }
    std::string const& path() const { return path_; }
    // Another name in the same folder.
    void rename(std::string const& path);

private:
    RecordingFile(std::string path, int descriptor, u8* memory, u64 bytes_max);

    std::string path_;
    int descriptor_;
    u8* memory_;
    u64 bytes_max_;
    u64 used_ = 0;
    u64 there_ = 0; // how much of the file is really there
};

// A whole recording in this process's memory, for good.
struct ReadRecording {
    sim::Recording recording;
    u64 begin_ns = 0; // of the session's time: the boot, or a restart point
    u64 length_ns = 0; // of the session, from its boot on
    usize damaged_bytes = 0; // at its end
    bool has_end = false;
    bool off_by_itself = false; // the machine, at its end
    u64 last_key_ns = 0; // before which somebody typed for the last time
    u64 file_changed_ns = 0;
    u64 image_changed_ns = 0; // the image's time of change when the session was over; 0: unknown
};

bool is_recording_file(std::string const& path);
// Null after a message. Where it begins at a restart point, the program may start anew
// (fixed_place.hpp).
std::shared_ptr<ReadRecording const> read_recording(std::string const& path);

// Identifies this program and its boot bundle.
u64 build_identity(std::span<u8 const> bundle);

} // namespace gemel::cli
