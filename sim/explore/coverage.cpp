#include "sim/explore/coverage.hpp"

#include "core/base/assert.hpp"

#include <cstring>
#include <iterator>

namespace gemel::sim {

namespace {

constexpr u64 factor = 0x9E37'79B9'7F4A'7C15;
constexpr u64 meeting = 0xA076'1D64'78BD'642F; // what is counted is not a step
constexpr u64 happening = 0xD6E8'FEB8'6659'FD93;
constexpr u8 class_ends[Coverage::classes - 1] = { 1, 2, 3, 5, 8, 16, 64 };

constexpr u64 joined(u64 hash, u64 word)
{
    hash = (hash ^ word) * factor;
    return hash ^ hash >> 32;
}

// By count: it is the first of its class.
struct ClassBegins {
    bool at[256] = {};
    constexpr ClassBegins()
    {
        at[1] = true;
        for (auto const end : class_ends)
            at[end + 1] = true;
    }
};
constexpr ClassBegins class_begins;

constexpr u32 class_of(u8 count)
{
    u32 number = 0;
    while (number < std::size(class_ends) && count > class_ends[number])
        ++number;
    return number;
}

} // namespace

void Coverage::count(u64 what)
{
    auto const place = what * factor >> 49;
    auto& count = counts_[place];
    count = static_cast<u8>(count + (count != 0xFF));
    if (class_begins.at[count])
        events_[place] = event_;
}
static_assert(Coverage::places == u64 { 1 } << (64 - 49));

void Coverage::entered(Thread const& thread, u16 number, u32 asked, u64 object, u64 event)
{
    ASSERT(thread.id < threads_max);
    event_ = static_cast<u32>(event);
    u64 task[2];
    u64 own[2];
    name_words(task, thread.task->name);
    name_words(own, thread.name);
    auto const who = joined((task[0] ^ own[0] * meeting) * factor, task[1] ^ own[1] * meeting);
    auto const step = joined(who, u64 { asked } << 16 | number);
    count(joined(steps_[thread.id], step));
    steps_[thread.id] = step;
    if (object == 0)
        return;
    auto& visit = visits_[object % visits_kept];
    if (visit.object == object && visit.thread != thread.id)
        count(joined(visit.step ^ meeting, step));
    visit = { object, step, thread.id };
}

void Coverage::resumed(u32 thread, u64 status)
{
    ASSERT(thread < threads_max);
    if (status >> 32 == 0xFFFF'FFFF)
        steps_[thread] = joined(steps_[thread], status);
}

void Coverage::met(u32 thread, u32 kind, u32 which)
{
    ASSERT(thread < threads_max);
    count(joined(steps_[thread] ^ happening, u64 { kind } << 32 | which));
}

void Coverage::next_boot()
{
    std::memset(steps_, 0, sizeof steps_);
    for (auto& visit : visits_)
        visit = {};
}

std::vector<CoveredPoint> Coverage::points() const
{
    std::vector<CoveredPoint> points;
    for (u32 place = 0; place < places; ++place)
        if (counts_[place] != 0)
            points.push_back({ place * classes + class_of(counts_[place]), events_[place] });
    return points;
}

} // namespace gemel::sim
