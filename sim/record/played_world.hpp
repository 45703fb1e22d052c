// The world that answers from a recording. A question that the recording does not answer next, or
// a digest that does not fit, is a difference: the run ends there.
#pragma once

#include "sim/record/session_world.hpp"

#include <optional>

namespace gemel::sim {

class PlayedWorld final : public SessionWorld {
public:
    // What of the outside arrives while it plays: at the serial line.
    using Typed = std::function<void(std::string_view)>;

    PlayedWorld(hosted::System& system, Trace& trace, RecordReader records, Typed typed);

    // What was typed before the machine ran, or before it goes on from a restart point.
    void begin() { take_typed(); }
    // These come next: of the restart point nothing is left.
    void records_are(RecordReader const& records) { records_ = records; }
    // The machine is off, with this status.
    void finish(u8 status);

    i64 wall_clock(i64 begun);
    // The next record, if it is of this kind, and takes it.
    std::optional<Record> taken(RecordKind kind);
    // The run is not what was recorded. Does not return while the machine runs.
    void differ(std::string what);
    // Every failure that it came by; in order, as recorded.
    void on_failure(std::function<void(Failure const&)> hook) { failure_hook_ = std::move(hook); }

    // Asked where the recording ends before its machine is off: true when somebody goes on.
    void on_over(std::function<bool()> hook) { over_hook_ = std::move(hook); }

    std::optional<Failure> const& difference() const { return difference_; }
    // The file ended before the session did: its process was killed, or it was cut off.
    bool is_cut() const { return cut_; }
    RecordingEnd::How how() const { return how_; }
    // What was not played yet.
    RecordReader const& records() const { return records_; }

    u64 entropy() noexcept override;
    void idle(u64 wake_ns) noexcept override;
    void leaving(Kernel& kernel) override;

private:
    u64 read_clock() noexcept override;
    void failed(Failure const& failure) noexcept override;
    // Null after differ().
    std::optional<Record> expect(RecordKind kind, char const* asked);
    void take_typed();
    void take_position(u64 count);
    void end_if_over();
    void stop();

    RecordReader records_;
    Typed typed_;
    bool cut_ = false;
    bool stopped_ = false;
    RecordingEnd::How how_ = RecordingEnd::How::off;
    std::optional<Failure> difference_;
    std::function<void(Failure const&)> failure_hook_;
    std::function<bool()> over_hook_;
};

} // namespace gemel::sim
