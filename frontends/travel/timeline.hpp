// A run that can be walked in both directions. Forwards it runs; backwards it is run again, from
// the nearest mark before: a process that was forked there and stands still.
//
// A place is an event's number and how many instructions ran since. It needs no hardware counter:
// the instructions are counted by single steps, between two neighbouring events at most, and only
// when somebody wants to know what was before. Until then it is enough how the place was reached.
#pragma once

#include "frontends/travel/threads.hpp"
#include "frontends/travel/tracee.hpp"

#include <compare>
#include <set>

namespace gemel::travel {

struct Place {
    u64 event = 0;
    u64 steps = 0; // instructions
    auto operator<=>(Place const&) const = default;
};

enum class Why : u8 {
    stepped,
    breakpoint,
    watch, // `address` was written
    signal, // the run is about to get it
    interrupted, // the user asked
    begin, // of the run: nothing is before it
    end, // of the run: nothing comes after it
    lost, // the run went another way than before: it is no function of its journal
};

struct Stop {
    Why why = Why::stepped;
    u64 address = 0;
    int signal = 0;
};

struct Mark {
    Place place;
    u64 time_ns = 0;
};

class Timeline {
public:
    // `body` is the run: at_event() at its events, no return. `asked` says whether the user wants
    // it to stop, and is called when `descriptor` is readable. Throws std::system_error.
    Timeline(std::function<void()> const& body, int descriptor, std::function<bool()> asked);
    ~Timeline();
    Timeline(Timeline const&) = delete;

    Tracee& here() { return now_; }
    void insert(u64 breakpoint) { breakpoints_.insert(breakpoint); }
    void remove(u64 breakpoint) { breakpoints_.erase(breakpoint); }
    // False: too many bytes, or too many watches; or any access, without debug registers.
    bool insert(Watch const& watch);
    void remove(Watch const& watch);

    Stop forward();
    Stop step();
    Stop back(); // to the last breakpoint before, or to before the last write of what is watched
    Stop step_back();
    // To where a thread comes by next, or came by last: `stepped` when it is there, unless
    // something else is found on the way.
    Stop forward_to(Passage const& passage);
    Stop back_to(Passage const& passage);
    // The first event from this number, or this time, on; `end` when the run is over before.
    Stop to_event(u64 event);
    Stop to_time(u64 time_ns);

    // Counts if need be; null: more than `most` instructions, or where nobody can tell.
    std::optional<Place> place(u64 most);
    u64 event() const { return at_.base.event; }
    u64 time_ns() const;
    u64 last_event() const { return last_event_; } // as far as it ever went
    std::vector<Mark> marks() const;
    // Whether ever the same way led to another state: then the run is no function of its journal.
    bool differed() const { return differed_; }

private:
    // From a known place: on until something was reached so many times.
    struct Leg {
        // anywhere: the user interrupted it, or it ended
        enum class Kind : u8 { to_pc, to_watch, steps, anywhere };
        Kind kind = Kind::steps;
        Passage to; // to_pc
        u64 count = 0;
        std::vector<Watch> watches;
    };
    struct Path {
        Place base;
        std::vector<Leg> legs;
    };
    struct Kept {
        Tracee process;
        u64 time_ns = 0;
    };
    enum class Found : u8 { reached, over, breakpoint, watch, signal, interrupted };
    enum class Keep : u8 { spread, for_now }; // over the whole run; the newest few
    enum class Heed : u8 { nothing, breakpoints, signals_too };
    struct Bounds {
        u64 event = ~0ull;
        u64 time_ns = ~0ull;
    };
    struct Hits {
        u64 in_run = 0; // how many there were before the last event of the interval
        std::optional<Path> last_in_run;
        bool last_watched = false;
        std::optional<Place> stepped; // a later one, which is known exactly
        bool stepped_watched = false;
    };

    enum class StepTo : u8 { twin, change };

    Found run(Tracee& process, Bounds const& bounds, Heed heed);
    Found run_free(Tracee& process, Bounds const& bounds, Heed heed);
    Found run_compared(Tracee& process, Bounds const& bounds, Heed heed);
    std::optional<Found> step_on(Tracee& process, Bounds const& bounds, Heed heed, StepTo to);
    bool can_have_twin(Tracee const& process) const;
    Halted settle(Tracee& process);
    Found judge(Tracee& process, Halted const& halted, Heed heed);
    void arm(Tracee& process, Heed heed);
    void disarm(Tracee& process);
    Found advance(Bounds const& bounds, Heed heed);
    Stop told(Found found);
    Stop over();
    void arrived(Found found);
    void at(Place const& place) { at_ = { place, {} }; }
    void keep(Place const& place, Tracee& process, Keep how);
    bool to_event_of(u64 event);
    void thin_out();
    u64 event_marks_end() const;
    Place nearest(Place const& place) const;
    Tracee again(Place const& mark);
    bool to(Place const& place);
    bool walk(Tracee& process, Place& place, Leg const& leg, u64 most);
    Place counted_place();
    bool take(Tracee& process, Place& place, Halted& halted, std::vector<Watch> const& watches);
    u64 length_of(u64 event);
    std::optional<Hits> hits_between(Place const& from, Place const& to, bool last);
    bool is_hit(Tracee const& process) const;
    bool is_others(Tracee const& process, Heed heed) const;
    Passage passage_at(u64 pc) const;
    Stop arrived_at(Passage const& passage, Stop const& stop) const;
    void note_hit(Hits& hits, Tracee& process, Place const& from, bool watched);
    Stop to_hit(Place const& from, Hits const& hits);
    Stop back_at(bool watched);
    static u64 in_task_address();
    bool is_entry(u64 pc) const;
    u64 event_of(Tracee const& process) const;

    std::function<bool()> asked_;
    int descriptor_;
    int children_ = -1; // a descriptor: readable when a process halted
    Tracee now_;
    Path at_;
    std::map<Place, Kept> marks_;
    std::vector<Place> fine_marks_; // for now; the oldest goes first
    u64 spacing_;
    u64 last_event_ = 0;
    std::map<u64, u64> lengths_; // instructions from an event to the next
    std::set<u64> breakpoints_;
    std::optional<Passage> wanted_; // a breakpoint for one thread, besides
    std::vector<Watch> watches_; // as asked for
    std::vector<Watch> pieces_; // of them, as the debug registers need them
    std::vector<std::pair<u64, u8>> armed_; // addresses, and what was there
    u64 watched_ = 0; // the address of the last hit of a watch
    int signal_ = 0;
    std::map<u64, u64> counts_; // arrivals in an event, by pc (0: watches), while hits are counted
    u64 counted_event_ = ~0ull;
    bool interrupted_ = false; // by the user
    bool differed_ = false; // the same way led elsewhere
};

} // namespace gemel::travel
