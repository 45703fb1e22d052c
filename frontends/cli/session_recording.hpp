// `gemel record`, and `gemel run --record-last`: what stands around a session that is recorded.
#pragma once

#include "frontends/cli/host_console.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/recording_file.hpp"
#include "sim/record/record_disk.hpp"
#include "sim/record/recording_world.hpp"
#include "sim/record/restart_point.hpp"

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
    // The machine stands still for a restart point (hosted::System::paused): another file begins
    // with one.
    void restart_point(hosted::System& system, sim::Uart16550& uart, sim::CmosClock& clock,
        sim::VirtioBlock& disk);
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

    // A file that is written.
    struct Part {
        std::unique_ptr<RecordingFile> file;
        std::optional<sim::RecordWriter> writer;
        unsigned number = 0;
        u64 begin_ns = 0; // of the session's time
        u64 point_bytes = 0; // of its restart point, and how long that took; 0: it has none
        u64 point_ns = 0;
    };
    // One that holds a failure, and is told of at the end.
    struct Kept {
        std::string path;
        u64 bytes = 0;
        u64 length_ns = 0;
        u64 point_bytes = 0; // as of a part
        u64 point_ns = 0;
        std::optional<sim::Failure> failure; // the first
    };

    enum class Name : u8 { usual, younger };

    SessionRecording(std::string path, Keep keep, u64 window_ns);

    std::string path_of(unsigned number, Name name) const;
    std::unique_ptr<Part> begin_part(Name name, std::string& error);
    void write_head(Part& part, sim::RecordingStart const& start);
    void end_part(Part& part);
    static void tell_of(Kept const& kept);

    std::string path_; // of a part without its number, where there are several
    Keep keep_;
    u64 window_ns_; // 0: there is one part
    unsigned number_ = 0; // of the youngest part
    std::unique_ptr<Part> older_;
    std::unique_ptr<Part> younger_;
    std::vector<Kept> kept_;
    sim::RecordingStart start_;
    int image_ = -1;
    sim::Trace trace_ { sim::Trace::Keep::hash };
    std::optional<sim::RecordingWorld> world_;
    std::optional<sim::RecordingDisk> disk_;
    Tap tap_ { *this };
};

} // namespace gemel::cli
