// `gemel record`, and `gemel run --record-last`: what stands around a session that is recorded.
#pragma once

#include "frontends/cli/host_console.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/recording_file.hpp"
#include "sim/record/record_disk.hpp"
#include "sim/record/recording_world.hpp"

#include <memory>
#include <optional>

namespace gemel::cli {

// Whether a session without a failure leaves its recording.
enum class Keep : u8 { always, after_failure };

// A recording that was begun, for a machine that is about to be made. It outlives the machine.
class SessionRecording {
public:
    // What RunOptions ask for: null in `result` when that is nothing. False after a message.
    static bool begin(RunOptions const& options, std::unique_ptr<SessionRecording>& result);

    // What the file says of the machine. Before the next calls; false after a message.
    bool describe(hosted::Options const& machine, RunOptions const& options, Input input,
        std::string const& image_path, int image);
    // From now on `system` lives in this recording's world.
    void live(hosted::System& system);
    ConsoleTap& tap();
    // sim::RecordingWorld::on_outside. After live().
    void on_outside(std::function<bool()> waits) { world_->on_outside(std::move(waits)); }
    i64 wall_clock();
    // The disk's bytes, noted. `medium` outlives the machine's run.
    sim::Medium& disk(sim::Medium& medium);
    // The machine is off, and still there.
    void finish(int status);
    // To the user, once the terminal is his again: where it is, or why not.
    void tell();

private:
    class Tap final : public ConsoleTap {
    public:
        explicit Tap(SessionRecording& recording)
            : recording_(recording)
        {
        }
        void typed(std::string_view bytes) override { recording_.world_->typed(bytes); }
        void shown(std::string_view bytes) override;
        void left() override { recording_.world_->left(); }

    private:
        SessionRecording& recording_;
    };

    SessionRecording(std::string path, Keep keep);

    std::string path_;
    Keep keep_;
    std::unique_ptr<RecordingFile> file_;
    sim::RecordingStart start_;
    int image_ = -1;
    sim::Trace trace_ { sim::Trace::Keep::hash };
    std::optional<sim::RecordWriter> writer_;
    std::optional<sim::RecordingWorld> world_;
    std::optional<sim::RecordingDisk> disk_;
    Tap tap_ { *this };
    u64 length_ns_ = 0;
};

} // namespace gemel::cli
