#include "frontends/travel/timeline.hpp"

#include "frontends/travel/inside.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>

namespace gemel::travel {

namespace {

constexpr u64 spacing_first = 1000; // events
constexpr int patience_ms = 500; // for the next event, when the user interrupts
constexpr u8 trap_instruction = 0xCC;

u64 address_of(void (*function)())
{
    return reinterpret_cast<u64>(function);
}
u64 address_of(void (*function)(u64, u64))
{
    return reinterpret_cast<u64>(function);
}
u64 address_of(u64& word)
{
    return reinterpret_cast<u64>(&word);
}

} // namespace

Timeline::Timeline(std::function<void()> const& body, int descriptor, std::function<bool()> asked)
    : asked_(std::move(asked))
    , descriptor_(descriptor)
    , spacing_(spacing_first)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, nullptr);
    children_ = ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    now_ = Tracee::start(body);
    if (run(now_, { 0, ~0ull }, Heed::nothing) != Found::reached)
        throw std::system_error(ECHILD, std::generic_category(), "the run did not begin");
    at({ 0, 0 });
    keep({ 0, 0 }, now_, Keep::spread);
    if (marks_.empty())
        throw std::system_error(EAGAIN, std::generic_category(), "no second process can be made");
}

Timeline::~Timeline()
{
    ::close(children_);
}

bool Timeline::is_entry(u64 pc) const
{
    return pc == address_of(gemel_replay_passed) || pc == address_of(gemel_replay_reached);
}

// An event begins with the call that tells of it.
u64 Timeline::event_of(Tracee const& process) const
{
    if (is_entry(process.pc()))
        return process.registers().rdi;
    return process.get<u64>(address_of(gemel_replay_inside.event));
}

u64 Timeline::time_ns() const
{
    if (is_entry(now_.pc()))
        return now_.registers().rsi;
    return now_.get<u64>(address_of(gemel_replay_inside.time_ns));
}

std::vector<Mark> Timeline::marks() const
{
    std::vector<Mark> marks;
    for (auto const& [place, kept] : marks_)
        marks.push_back({ place, kept.time_ns });
    return marks;
}

// --- breakpoints and watches ---

bool Timeline::insert(Watch const& watch)
{
    std::vector<Watch> pieces;
    if (watch.bytes > watches_max * sizeof(u64))
        return false;
    for (auto at = watch.address; at < watch.address + watch.bytes;) {
        u32 bytes = 8;
        while (at % bytes != 0 || at + bytes > watch.address + watch.bytes)
            bytes /= 2;
        pieces.push_back({ at, bytes, watch.access });
        at += bytes;
    }
    if (pieces.empty() || pieces_.size() + pieces.size() > watches_max
        || (watch.access && !debug_registers_work()))
        return false;
    pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
    watches_.push_back(watch);
    return true;
}

void Timeline::remove(Watch const& watch)
{
    auto const found = std::find(watches_.begin(), watches_.end(), watch);
    if (found == watches_.end())
        return;
    watches_.erase(found);
    auto left = std::move(watches_);
    watches_.clear();
    pieces_.clear();
    for (auto const& each : left)
        (void)insert(each);
}

void Timeline::arm(Tracee& process, Heed heed)
{
    std::set<u64> places { address_of(gemel_replay_reached), address_of(gemel_replay_over) };
    if (heed != Heed::nothing)
        places.insert(breakpoints_.begin(), breakpoints_.end());
    if (heed != Heed::nothing && wanted_)
        places.insert(wanted_->pc);
    armed_.clear();
    for (auto const address : places) {
        u8 before = 0;
        if (process.read(address, { &before, 1 }) == 1
            && process.write(address, { &trap_instruction, 1 }))
            armed_.emplace_back(address, before);
    }
}

void Timeline::disarm(Tracee& process)
{
    for (auto const& [address, before] : armed_)
        process.write(address, { &before, 1 });
    armed_.clear();
}

bool Timeline::is_hit(Tracee const& process) const
{
    auto const pc = process.pc();
    return breakpoints_.contains(pc)
        || (wanted_ && pc == wanted_->pc && wanted_->is_at(pc, process.registers().rsp));
}

// What counts as an arrival there.
Passage Timeline::passage_at(u64 pc) const
{
    return wanted_ && wanted_->pc == pc && !breakpoints_.contains(pc) ? *wanted_ : Passage { pc };
}

// --- running ---

// Waits for the process; a user who asks is heard at the next event, or at once when none comes.
Halted Timeline::settle(Tracee& process)
{
    auto stopped = false;
    auto heard = true; // what came together with the last packet
    interrupted_ = false;
    for (;;) {
        if (auto const halted = process.try_wait())
            return *halted;
        if (heard && !interrupted_ && asked_()) {
            interrupted_ = true;
            process.put(address_of(gemel_replay_inside.stop_event), u64 { 0 });
        }
        pollfd ready[] = { { children_, POLLIN, 0 }, { descriptor_, POLLIN, 0 } };
        auto const patience = interrupted_ && !stopped ? patience_ms : -1;
        auto const count = ::poll(ready, interrupted_ ? 1 : 2, patience);
        signalfd_siginfo news {};
        while (::read(children_, &news, sizeof news) == sizeof news)
            ;
        heard = ready[1].revents != 0;
        if (count == 0) {
            process.interrupt();
            stopped = true;
        }
    }
}

Timeline::Found Timeline::judge(Tracee& process, Halted const& halted, Heed heed)
{
    signal_ = halted.signal;
    watched_ = halted.address;
    if (halted.how == Halt::ended)
        return Found::over;
    if (halted.how == Halt::watch)
        return Found::watch;
    if (halted.how == Halt::signal)
        return halted.signal == SIGSTOP ? Found::interrupted : Found::signal;
    auto const pc = process.pc();
    if (pc == address_of(gemel_replay_over))
        return Found::over;
    if (heed != Heed::nothing && is_hit(process))
        return Found::breakpoint;
    return interrupted_ ? Found::interrupted : Found::reached;
}

Timeline::Found Timeline::run(Tracee& process, Bounds const& bounds, Heed heed)
{
    auto const compare = heed != Heed::nothing && !pieces_.empty() && !debug_registers_work();
    return compare ? run_compared(process, bounds, heed) : run_free(process, bounds, heed);
}

// It came by where one thread is waited for, and is another.
bool Timeline::is_others(Tracee const& process, Heed heed) const
{
    return heed != Heed::nothing && !interrupted_ && wanted_ && process.pc() == wanted_->pc
        && !is_hit(process);
}

// Where it stands is left behind first: what is there was told when it arrived.
Timeline::Found Timeline::run_free(Tracee& process, Bounds const& bounds, Heed heed)
{
    process.put(address_of(gemel_replay_inside.stop_event), bounds.event);
    process.put(address_of(gemel_replay_inside.stop_ns), bounds.time_ns);
    process.watch(
        heed == Heed::nothing || !debug_registers_work() ? std::vector<Watch> {} : pieces_);
    auto first = true;
    for (int signal = 0;;) {
        if (process.pc() == address_of(gemel_replay_over))
            return Found::over;
        if (first) {
            auto const halted = process.step();
            auto const pc = process.pc();
            auto const there = heed != Heed::nothing && is_hit(process);
            if (halted.how != Halt::trap || there || pc == address_of(gemel_replay_over))
                return judge(process, halted, heed);
        }
        first = false;
        arm(process, heed);
        process.go(signal);
        auto halted = settle(process);
        disarm(process);
        if (halted.how == Halt::trap) {
            process.set_pc(process.pc() - 1);
            first = is_others(process, heed);
            signal = 0;
            if (first)
                continue;
            return judge(process, halted, heed);
        }
        auto const passed
            = halted.how == Halt::signal && halted.signal != SIGSTOP && heed != Heed::signals_too;
        if (!passed)
            return judge(process, halted, heed);
        signal = halted.signal;
    }
}

// On to the bounds, leaving marks on new ground.
Timeline::Found Timeline::advance(Bounds const& bounds, Heed heed)
{
    for (;;) {
        auto const seen = std::max(event(), event_marks_end());
        auto const next = (seen / spacing_ + 1) * spacing_;
        auto const found = run(now_, { std::min(next, bounds.event), bounds.time_ns }, heed);
        arrived(found);
        if (found != Found::reached)
            return found;
        if (event() == next)
            keep({ next, 0 }, now_, Keep::spread);
        if (event() >= bounds.event || time_ns() >= bounds.time_ns)
            return found;
    }
}

u64 Timeline::event_marks_end() const
{
    u64 last = 0;
    for (auto const& [place, kept] : marks_)
        if (place.steps == 0)
            last = place.event;
    return last;
}

// Where it stands now, after it ran.
void Timeline::arrived(Found found)
{
    auto const event = event_of(now_);
    last_event_ = std::max(last_event_, event);
    auto const pc = now_.pc();
    if (is_entry(pc))
        return at({ event, 0 });
    if (event != at_.base.event)
        at({ event, 0 });
    Leg leg { found == Found::watch ? Leg::Kind::to_watch : Leg::Kind::to_pc, passage_at(pc), 1,
        {} };
    if (found == Found::watch)
        leg.watches = pieces_;
    // What the run does at its end, when nothing happens any more, is long and not worth counting.
    if (found == Found::interrupted || found == Found::over)
        leg.kind = Leg::Kind::anywhere;
    at_.legs.push_back(std::move(leg));
}

Stop Timeline::told(Found found)
{
    switch (found) {
    case Found::reached:
        return { Why::stepped };
    case Found::over:
        return over();
    case Found::breakpoint:
        return { Why::breakpoint };
    case Found::watch:
        return { Why::watch, watched_ };
    case Found::signal:
        return { Why::signal, 0, signal_ };
    case Found::interrupted:
        return { Why::interrupted };
    }
    return {};
}

// One that ended by itself is gone: its last event is as near to its end as one can stand.
Stop Timeline::over()
{
    if (now_.pc() != address_of(gemel_replay_over) && !to({ event(), 0 }))
        return { Why::lost };
    return { Why::end };
}

Stop Timeline::forward()
{
    return told(advance({}, Heed::signals_too));
}

Stop Timeline::arrived_at(Passage const& passage, Stop const& stop) const
{
    auto const there = stop.why == Why::breakpoint && !breakpoints_.contains(passage.pc)
        && now_.pc() == passage.pc;
    return there ? Stop { Why::stepped } : stop;
}

Stop Timeline::forward_to(Passage const& passage)
{
    wanted_ = passage;
    auto const stop = forward();
    wanted_ = std::nullopt;
    return arrived_at(passage, stop);
}

Stop Timeline::step()
{
    if (now_.pc() == address_of(gemel_replay_over))
        return { Why::end };
    auto const halted = now_.step();
    if (is_entry(now_.pc())) {
        auto const before = at_;
        at({ event_of(now_), 0 });
        last_event_ = std::max(last_event_, event());
        if (before.legs.empty())
            lengths_[before.base.event] = before.base.steps + 1;
    } else if (at_.legs.empty()) {
        ++at_.base.steps;
    } else if (at_.legs.back().kind == Leg::Kind::steps) {
        ++at_.legs.back().count;
    } else {
        at_.legs.push_back({ Leg::Kind::steps, {}, 1, {} });
    }
    if (halted.how == Halt::ended)
        return over();
    return { Why::stepped };
}

Stop Timeline::to_event(u64 event)
{
    if (event <= this->event() && !to({ event, 0 }))
        return { Why::lost };
    if (event > this->event()) {
        // A mark that lies between saves the way.
        auto const mark = nearest({ event, 0 });
        if (mark > at_.base)
            now_ = again(mark), at(mark);
        if (event > this->event())
            return told(advance({ event, ~0ull }, Heed::nothing));
    }
    return { Why::stepped };
}

Stop Timeline::to_time(u64 time_ns)
{
    auto mark = marks_.begin()->first;
    for (auto const& [place, kept] : marks_)
        if (kept.time_ns < time_ns && place.steps == 0)
            mark = place;
    if (this->time_ns() >= time_ns || mark > at_.base)
        now_ = again(mark), at(mark);
    if (this->time_ns() >= time_ns)
        return { Why::stepped };
    return told(advance({ ~0ull, time_ns }, Heed::nothing));
}

} // namespace gemel::travel
