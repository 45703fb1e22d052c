// The world of a session as it is lived and as it is played back: the same events of L1, and the
// same questions in the same order. Who derives from it answers them.
#pragma once

#include "sim/record/recording.hpp"
#include "sim/trace/trace.hpp"
#include "sim/world/closed_world.hpp"

#include <gemel/hosted/system.hpp>
#include <gemel/hosted/world.hpp>

#include <functional>
#include <string>

namespace gemel::sim {

class SessionWorld : public hosted::World {
public:
    // Entries between two digests in a recording.
    static constexpr u64 digest_entries = 16384;

    // Both outlive it.
    SessionWorld(hosted::System& system, Trace& trace)
        : system_(system)
        , trace_(trace)
    {
    }

    // A byte that the system shows.
    void console(char byte);
    // Called after every event.
    void on_event(std::function<void()> hook) { event_hook_ = std::move(hook); }

    // For a restart point. False: cut off.
    void save(hosted::StateWriter& to);
    bool load(hosted::StateReader& from);

    u64 entries() const { return entries_; }
    u64 time_ns() const { return time_ns_; }

    u64 now_ns() noexcept final;
    hosted::Fate entering(Thread& thread) final;
    void choosing(Kernel& kernel) final;
    void interrupted(u32 line) noexcept final;
    bool raises(u32) noexcept final { return true; }
    void faulted(Thread& thread, u64 address) final;
    void touched(Thread& thread) final;
    void broke(char const* what) noexcept final;
    bool reached(hosted::Site const&) final { return false; }

protected:
    // The time at this question; never less than time_ns().
    virtual u64 read_clock() noexcept = 0;
    virtual void failed(Failure const& failure) noexcept = 0;
    // The process is about to end.
    virtual void dies() noexcept { }

    hosted::System& system() { return system_; }
    Trace& trace() { return trace_; }
    // Time stands still from one question to the end of the kernel's visit: few readings, and a
    // visit sees one time. The next question is a new reading.
    void time_moves() { time_is_known_ = false; }
    // The same after a tick or an idle wait, whose readings are always written down.
    void time_has_moved();
    void time_is(u64 time_ns) { time_ns_ = time_ns; }
    // Events are no longer of interest: nobody compares them.
    void stop_tracing() { tracing_ = false; }

    // Entries at the last record that says where it is.
    u64 position() const { return position_; }
    void position_is(u64 entries) { position_ = entries; }

private:
    template <typename Visitor>
    void visit_words(Visitor& visit);
    void note(Event event, Thread const* thread);

    hosted::System& system_;
    Trace& trace_;
    std::function<void()> event_hook_;
    u64 entries_ = 0;
    u64 position_ = 0;
    u64 time_ns_ = 0;
    bool time_is_known_ = false;
    bool reading_is_free_ = true;
    bool tracing_ = true;
    ReadBudget budget_;
};

} // namespace gemel::sim
