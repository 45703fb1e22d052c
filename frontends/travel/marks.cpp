// The Timeline's way back: marks, the places between events, and what was hit last before a place.
#include "frontends/travel/inside.hpp"
#include "frontends/travel/timeline.hpp"

#include <gemel/hosted/system.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace gemel::travel {

namespace {

constexpr usize marks_max = 40; // at events: then every second goes
constexpr usize fine_marks_max = 6;
constexpr u64 fine_spacing = 4000; // instructions, while they are counted
constexpr u64 fine_distance = 120; // instructions before a place that was gone back to
constexpr u64 near_events = 20; // likewise, in events
constexpr u64 count_max = 20'000'000; // instructions between two events: a minute or two

} // namespace

// The greatest mark that is not after it. There is one at the run's begin.
Place Timeline::nearest(Place const& place) const
{
    return std::prev(marks_.upper_bound(place))->first;
}

Tracee Timeline::again(Place const& mark)
{
    auto twin = marks_.at(mark).process.twin();
    if (!twin)
        throw std::system_error(EAGAIN, std::generic_category(), "no second process can be made");
    return std::move(*twin);
}

// At an event, or in a task's own code: the kernel may be about to change the machine's mappings,
// which a twin has to copy.
bool Timeline::can_have_twin(Tracee const& process) const
{
    return is_entry(process.pc()) || process.get<bool>(in_task_address());
}

void Timeline::keep(Place const& place, Tracee& process, Keep how)
{
    if (marks_.contains(place) || !can_have_twin(process))
        return;
    auto twin = process.twin();
    if (!twin)
        return; // the way back is longer
    auto const time = process.get<u64>(reinterpret_cast<u64>(&gemel_replay_inside.time_ns));
    auto const told = place.steps == 0 ? process.registers().rsi : time;
    marks_.emplace(place, Kept { std::move(*twin), told });
    if (how == Keep::for_now) {
        fine_marks_.push_back(place);
        if (fine_marks_.size() > fine_marks_max) {
            marks_.erase(fine_marks_.front());
            fine_marks_.erase(fine_marks_.begin());
        }
    } else if (marks_.size() - fine_marks_.size() > marks_max) {
        thin_out();
    }
}

void Timeline::thin_out()
{
    spacing_ *= 2;
    for (auto at = marks_.begin(); at != marks_.end();)
        if (at->first.steps == 0 && at->first.event % spacing_ != 0)
            at = marks_.erase(at);
        else
            ++at;
}

u64 Timeline::in_task_address()
{
    return reinterpret_cast<u64>(hosted::in_task_word());
}

bool Timeline::to_event_of(u64 event)
{
    if (run(now_, { event, ~0ull }, Heed::nothing) != Found::reached || event_of(now_) != event)
        return false;
    at({ event, 0 });
    return true;
}

// To a place that exists. False: the run went another way.
bool Timeline::to(Place const& place)
{
    auto const mark = nearest(place);
    auto const from_here = at_.legs.empty() && at_.base <= place && at_.base >= mark;
    if (!from_here) {
        now_ = again(mark);
        at(mark);
    }
    if (at_.base.event + 2 * near_events < place.event) {
        if (!to_event_of(place.event - near_events))
            return false;
        keep(at_.base, now_, Keep::for_now); // whoever goes back goes back again
    }
    if (at_.base.event < place.event && !to_event_of(place.event))
        return false;
    auto const far = place.steps - at_.base.steps > 3 * fine_distance;
    if (far) {
        auto const before = place.steps - fine_distance;
        if (!now_.steps(before - at_.base.steps))
            return false;
        at({ place.event, before });
        keep(at_.base, now_, Keep::for_now);
    }
    auto const all = now_.steps(place.steps - at_.base.steps);
    at(place);
    return all;
}

// One instruction on, within the event. False: the event is over.
bool Timeline::take(
    Tracee& process, Place& place, Halted& halted, std::vector<Watch> const& watches)
{
    halted = process.step();
    ++place.steps;
    if (place.steps % fine_spacing == 0) {
        interrupted_ = asked_();
        if (interrupted_)
            return false;
        keep(place, process, Keep::for_now);
        process.watch(watches); // to make a twin is to forget them
    }
    return halted.how != Halt::ended && !is_entry(process.pc());
}

// Counts the instructions of a leg.
bool Timeline::walk(Tracee& process, Place& place, Leg const& leg, u64 most)
{
    if (leg.kind == Leg::Kind::anywhere)
        return false;
    process.watch(leg.watches);
    Halted halted;
    for (u64 found = 0; found < leg.count;) {
        if (place.steps >= most || !take(process, place, halted, leg.watches))
            return false;
        switch (leg.kind) {
        case Leg::Kind::steps:
            ++found;
            break;
        case Leg::Kind::to_pc:
            found += process.pc() == leg.to.pc && leg.to.is_at(leg.to.pc, process.registers().rsp);
            break;
        case Leg::Kind::to_watch:
            found += halted.how == Halt::watch;
            break;
        case Leg::Kind::anywhere:
            break; // never walked
        }
    }
    return true;
}

// Walks the way once more and counts.
std::optional<Place> Timeline::place(u64 most)
{
    if (at_.legs.empty())
        return at_.base;
    auto const path = at_;
    auto const before = now_.registers();
    auto saved = std::move(now_);
    auto there = path.base;
    auto found = to(path.base);
    for (auto const& leg : path.legs)
        found = found && walk(now_, there, leg, most);
    if (!found) {
        now_ = std::move(saved);
        at_ = path;
        return std::nullopt;
    }
    auto const after = now_.registers();
    differed_ = differed_ || before.rip != after.rip || before.rsp != after.rsp;
    at(there);
    return there;
}

// A place that cannot be counted is left for its event's begin.
Place Timeline::counted_place()
{
    interrupted_ = false;
    if (auto const known = place(count_max))
        return *known;
    std::fprintf(stderr, "gemel: too many instructions since event %llu to count: from its begin\n",
        static_cast<unsigned long long>(event()));
    (void)to({ event(), 0 });
    return at_.base;
}

u64 Timeline::length_of(u64 event)
{
    if (auto const known = lengths_.find(event); known != lengths_.end())
        return known->second;
    if (!to({ event, 0 }))
        return 1;
    auto place = at_.base;
    Halted halted;
    while (place.steps < count_max && take(now_, place, halted, {}))
        ;
    at({ event_of(now_), 0 });
    return lengths_[event] = place.steps;
}

Stop Timeline::step_back()
{
    auto before = counted_place();
    if (before == Place {})
        return { Why::begin };
    if (before.steps == 0) {
        --before.event;
        before.steps = length_of(before.event);
    }
    --before.steps;
    return to(before) ? Stop { Why::stepped } : Stop { Why::lost };
}

// --- what was hit last ---

// While it runs freely, an arrival is known by its number among the arrivals at the same pc since
// the event, or since where the run was begun within it.
void Timeline::note_hit(Hits& hits, Tracee& process, Place const& from, bool watched)
{
    ++hits.in_run;
    auto const event = event_of(process);
    if (event != counted_event_) {
        counts_.clear();
        counted_event_ = event;
    }
    auto const pc = process.pc();
    Leg leg { watched ? Leg::Kind::to_watch : Leg::Kind::to_pc, passage_at(pc),
        ++counts_[watched ? 0 : pc], {} };
    if (watched)
        leg.watches = pieces_;
    hits.last_in_run = Path { event == from.event ? from : Place { event, 0 }, { leg } };
    hits.last_watched = watched;
}

// The last hit after `from`, before `to`; a write that `to` comes right after counts.
std::optional<Timeline::Hits> Timeline::hits_between(Place const& from, Place const& to, bool last)
{
    Hits hits;
    auto process = again(from);
    auto place = from;
    counts_.clear();
    counted_event_ = ~0ull;
    while (place.event < to.event) {
        auto const found = run(process, { to.event, ~0ull }, Heed::breakpoints);
        if (found == Found::reached)
            place = { to.event, 0 };
        else if (found == Found::breakpoint || found == Found::watch)
            note_hit(hits, process, from, found == Found::watch);
        else
            return std::nullopt;
    }
    process.watch(pieces_);
    Halted halted;
    while (place.steps < to.steps) {
        if (!take(process, place, halted, pieces_))
            return std::nullopt;
        auto const watched = halted.how == Halt::watch;
        auto const there = (place < to || !last) && is_hit(process);
        if (watched || there) {
            hits.stepped = place;
            hits.stepped_watched = watched;
            watched_ = halted.address;
        }
    }
    return hits;
}

Stop Timeline::back_at(bool watched)
{
    if (!watched)
        return { Why::breakpoint };
    auto const address = watched_;
    auto const stop = step_back();
    return stop.why == Why::stepped ? Stop { Why::watch, address } : stop;
}

Stop Timeline::to_hit(Place const& from, Hits const& hits)
{
    if (hits.stepped) {
        auto const address = watched_;
        if (!to(*hits.stepped))
            return { Why::lost };
        watched_ = address;
        return back_at(hits.stepped_watched);
    }
    now_ = again(from);
    for (u64 i = 0; i < hits.in_run; ++i)
        (void)run(now_, {}, Heed::breakpoints);
    at_ = *hits.last_in_run;
    return back_at(hits.last_watched);
}

Stop Timeline::back()
{
    auto const begun = counted_place();
    std::vector<Place> starts;
    for (auto const& [mark, kept] : marks_)
        if (mark < begun)
            starts.push_back(mark);
    auto end = begun;
    for (; !starts.empty(); starts.pop_back()) {
        auto const hits = hits_between(starts.back(), end, end == begun);
        if (!hits)
            return { to(begun) && interrupted_ ? Why::interrupted : Why::lost };
        if (hits->stepped || hits->last_in_run)
            return to_hit(starts.back(), *hits);
        end = starts.back();
    }
    return to({}) ? Stop { Why::begin } : Stop { Why::lost };
}

Stop Timeline::back_to(Passage const& passage)
{
    wanted_ = passage;
    auto const stop = back();
    wanted_ = std::nullopt;
    return arrived_at(passage, stop);
}

} // namespace gemel::travel
