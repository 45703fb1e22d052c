// A live world whose answers are written down. It asks Linux, as a machine without a world does,
// with one difference: a tick arrives at the next kernel entry, where a replay can take it too.
#pragma once

#include "sim/record/session_world.hpp"

#include <atomic>
#include <optional>
#include <utility>

namespace gemel::sim {

class RecordingWorld final : public SessionWorld {
public:
    // `writer` outlives it. Null: nothing is written, and ticks preempt code.
    RecordingWorld(hosted::System& system, Trace& trace, RecordWriter* writer);

    // What the outside does, before it is done.
    void typed(std::string_view bytes);
    void left() { left_ = true; } // the user takes the machine away
    // Answers `seconds`; `begun` is the recording's own start.
    i64 wall_clock(i64 seconds, i64 begun);
    // Which of two recordings.
    enum class Whose : u8 { older, younger };
    bool has(Whose whose) const { return (whose == Whose::older ? writer_ : younger_) != nullptr; }
    void disk_bytes(Whose whose, u64 sector, std::span<u8 const> bytes);
    void disk_written(Whose whose, u64 sector, u64 count);
    void disk_failed(u64 request);
    // The machine is off.
    void finish(u8 status, u64 image_changed_ns);
    // Time goes on from here.
    void go_on_from(u64 time_ns);

    // The first failure of a task or of the machine since this was asked.
    std::optional<Failure> take_failure() { return std::exchange(failure_, std::nullopt); }
    // A thread computed for long without a kernel entry while something waited for the processor:
    // the recording has ended before that.
    bool gave_up() const { return gave_up_; }
    // There was no more room for the recording.
    bool is_full() const { return writer_ && writer_->full(); }
    // Whether something from outside waits to be taken: asked in a signal's handler. Without an
    // answer somebody always waits.
    void on_outside(std::function<bool()> waits) { outside_waits_ = std::move(waits); }
    // From now on the machine stands still (hosted::System::stand_still_at_exit) each time a
    // recording has been as long as this, for a restart point: whoever runs it makes one, and says
    // begins(), or not_before().
    void keep_window(u64 length_ns);
    // Another recording begins here and gets what this one gets. Where there were two already, the
    // older one gets no more.
    void begins(RecordWriter& writer);
    // None was made here: not before so much later.
    void not_before(u64 later_ns) { next_point_ns_ = time_ns() + later_ns; }
    // The machine broke and the process is about to end.
    void on_death(std::function<void()> hook) { death_hook_ = std::move(hook); }

    bool live() const noexcept override { return true; }
    bool ticked(hosted::TickPlace place) noexcept override;
    u64 entropy() noexcept override;
    void idle(u64 wake_ns) noexcept override;
    void leaving(Kernel& kernel) override;

private:
    // For how many ticks a thread may compute without a kernel entry: while something from outside
    // waits, and while nothing but other threads do.
    static constexpr u32 ticks_for_outside = 100;
    static constexpr u32 ticks_for_threads = 3000;
    static constexpr u32 patience = 3000;

    u64 read_clock() noexcept override;
    void failed(Failure const& failure) noexcept override;
    void dies() noexcept override;
    u32 cost_of_tick() noexcept;
    u64 since_position();
    RecordingEnd end_here(RecordingEnd::How how);
    void give_up();

    void add(RecordKind kind, std::span<u8 const> fields, std::span<u8 const> bytes = {}) noexcept;
    RecordWriter& writer_of(Whose whose) { return *(whose == Whose::older ? writer_ : younger_); }
    bool wants_restart_point(Kernel const& kernel) const;

    RecordWriter* writer_; // the older recording's
    RecordWriter* younger_ = nullptr;
    u64 window_ns_ = 0; // 0: there are no windows
    u64 next_point_ns_ = ~0ull;
    std::atomic<bool> due_ = false; // only this thread's signal handler sets it
    std::atomic<bool> giving_up_ = false;
    u64 entries_at_tick_ = 0;
    u32 spent_ = 0; // of its patience
    bool left_ = false;
    bool gave_up_ = false;
    std::optional<Failure> failure_;
    std::function<void()> death_hook_;
    std::function<bool()> outside_waits_;
    std::vector<u8> fields_;
};

} // namespace gemel::sim
