// Watches where debug registers do nothing, as in some virtual machines: what is watched is
// compared at each event. Once it is another value, the run goes over these events again and then
// on by single steps, to the very instruction. A write of what is there already is not seen, and of
// a value that comes and goes between two events neither is.
#include "frontends/travel/inside.hpp"
#include "frontends/travel/timeline.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace gemel::travel {

namespace {

constexpr u64 twin_spacing = 32; // events: to make a twin takes as long as some of them
constexpr u64 asked_spacing = 4096; // instructions, from one look at the user to the next

// A write of the word that is watched, in a process of its own.
bool try_debug_registers()
{
    auto const* const wanted = std::getenv("GEMEL_DEBUG_REGISTERS");
    if (wanted && std::string_view { wanted } == "no")
        return false;
    static u64 volatile word = 0;
    auto process = Tracee::start([] { word = 1; });
    process.set_debug_registers({ { reinterpret_cast<u64>(&word), sizeof word, false } });
    process.go();
    return process.wait().how == Halt::watch;
}

} // namespace

bool debug_registers_work()
{
    static bool const work = try_debug_registers();
    return work;
}

std::optional<usize> changed(Values const& before, Values const& after)
{
    for (usize i = 0; i < before.size() && i < after.size(); ++i)
        if (before[i] && after[i] && *before[i] != *after[i])
            return i;
    return std::nullopt;
}

Values Tracee::values(std::vector<Watch> const& watches) const
{
    Values values;
    for (auto const& watch : watches) {
        u64 value = 0;
        auto const got
            = read(watch.address, { reinterpret_cast<u8*>(&value), std::min(watch.bytes, 8u) });
        values.push_back(got == watch.bytes ? std::optional(value) : std::nullopt);
    }
    return values;
}

Halted Tracee::compare()
{
    auto now = values(compared_);
    auto const found = changed(values_, now);
    values_ = std::move(now);
    return found ? Halted { Halt::watch, compared_[*found].address } : Halted {};
}

// By single steps to what is watched, or to where a twin can be made; null: it stands there.
std::optional<Timeline::Found> Timeline::step_on(
    Tracee& process, Bounds const& bounds, Heed heed, StepTo to)
{
    process.watch(pieces_);
    for (u64 steps = 1; to == StepTo::change || !can_have_twin(process); ++steps) {
        if (steps % asked_spacing == 0 && asked_()) {
            interrupted_ = true;
            return Found::interrupted;
        }
        auto const halted = process.step();
        auto const pc = process.pc();
        if (halted.how != Halt::trap || pc == reinterpret_cast<u64>(&gemel_replay_over)
            || is_hit(process))
            return judge(process, halted, heed);
        if (is_entry(pc) && event_of(process) >= bounds.event)
            return Found::reached;
    }
    return std::nullopt;
}

Timeline::Found Timeline::run_compared(Tracee& process, Bounds const& bounds, Heed heed)
{
    for (;;) {
        if (auto const found = step_on(process, bounds, heed, StepTo::twin))
            return *found;
        auto start = process.twin();
        if (!start)
            throw std::system_error(
                EAGAIN, std::generic_category(), "no second process can be made");
        auto const before = process.values(pieces_);
        auto unchanged = event_of(process);
        for (u64 i = 0; i < twin_spacing; ++i) {
            Bounds const next { std::min(event_of(process) + 1, bounds.event), bounds.time_ns };
            auto const found = run_free(process, next, heed);
            if (changed(before, process.values(pieces_))) {
                process = std::move(*start);
                if (unchanged > event_of(process))
                    (void)run_free(process, { unchanged, ~0ull }, Heed::nothing);
                return step_on(process, bounds, heed, StepTo::change).value_or(Found::over);
            }
            unchanged = event_of(process);
            if (found != Found::reached || unchanged >= bounds.event
                || process.registers().rsi >= bounds.time_ns)
                return found;
        }
    }
}

} // namespace gemel::travel
