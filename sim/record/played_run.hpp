// A recorded session again, in a closed world: no file but the recording, no clock, no keyboard.
#pragma once

#include "sim/devices/cmos_clock.hpp"
#include "sim/devices/uart_16550.hpp"
#include "sim/devices/virtio_block.hpp"
#include "sim/record/record_disk.hpp"
#include "sim/record/restart_point.hpp"
#include "sim/run/closed_run.hpp"

#include <span>

namespace gemel::sim {

struct Recording {
    RecordingStart start;
    std::span<u8 const> file; // all of it, for as long as it is used
    usize begin = 0; // of the records
};

// Null, and why in `error`.
std::optional<Recording> recording_of(std::span<u8 const> file, std::string& error);

// The machine of a recording, made and run once.
class PlayedSession {
public:
    // `recording` and what `setup` refers to outlive it. Of the setup count: the bundle and init,
    // what is kept, stops, closing and failing.
    PlayedSession(Recording const& recording, Setup const& setup);

    // From the boot or the restart point to the end of the recording, or until the machine that
    // went on is off.
    Outcome run();

    // From now on the machine lives: time goes on from here, `unknown` is asked for bytes of the
    // disk that the recording does not hold, `wall_clock` for the time of day. In a stop.
    void go_on(PlayedDisk::Unknown unknown, std::function<i64()> wall_clock);
    // Calls `hook`, which may go on, where the recording ends before its machine is off.
    void on_over(std::function<void()> hook);
    bool went_on() const { return lived_.has_value(); }
    // Everything that the system has shown, and where it goes from now on.
    std::string const& console() const { return console_; }
    void on_output(std::function<void(std::string_view)> output) { output_ = std::move(output); }

    hosted::System& system() { return system_; }
    Uart16550& uart() { return uart_; }
    PlayedWorld const& world() const { return world_; }

private:
    bool load();
    static hosted::Options options_of(Recording const& recording, Setup const& setup);
    void stop_where_asked();
    void take(char byte);
    i64 wall_clock();
    Outcome outcome() const;

    Recording const& recording_;
    Setup const& setup_;
    Trace trace_;
    hosted::System system_;
    PlayedWorld world_;
    std::optional<RecordingWorld> lived_; // writes nothing
    Uart16550 uart_;
    CmosClock clock_;
    PlayedDisk medium_;
    VirtioBlock disk_;
    std::function<i64()> host_wall_clock_;
    std::function<void(std::string_view)> output_;
    std::string console_;
    std::optional<Failure> failure_; // the first
    bool stopped_ = false;
};

} // namespace gemel::sim
