// L1: what happened at the kernel's boundary, with logical ids and no addresses, as a rolling hash
// of 128 bits with a digest every 65,536 events. Equal across compilers, optimisation levels,
// sanitizers and machines.
#pragma once

#include "core/base/types.hpp"

#include <gemel/hosted/state.hpp>

#include <map>
#include <string>
#include <vector>

namespace gemel::sim {

enum class EventKind : u8 {
    enter = 1, // a: w0 where it is a handle, b: a hash of the message
    resume = 2, // a: status, b: the tag it received
    interrupt = 3, // a: the line
    fault = 4, // the world made the thread fault
    decision = 5, // a: kind, b: value
    console = 6, // a: the byte
    phase = 7, // a: its number
    power_cut = 8, // a: how many there were before
};

struct Event {
    u64 time_ns = 0;
    EventKind kind = EventKind::enter;
    u8 cpu = 0;
    u16 thread = 0;
    u16 task = 0;
    u16 call = 0; // number and flags
    u64 a = 0;
    u64 b = 0;
    bool operator==(Event const&) const = default;
};
static_assert(sizeof(Event) == 32);

// A task's name from an event on: numbers of tasks are used again.
struct TaskName {
    u64 event = 0;
    u32 task = 0;
    char text[20] = {};
};
static_assert(sizeof(TaskName) == 32);

struct Hash {
    u64 high = 0x6C62'272E'07BB'0142;
    u64 low = 0x62B8'2175'6295'C58D;
    bool operator==(Hash const&) const = default;
    void add(u64 word)
    {
        high = (high ^ word) * 0x9FB2'1C65'1E98'DF25;
        high ^= high >> 32;
        low = (low + (word ^ high >> 7)) * 0xD6E8'FEB8'6659'FD93;
        low ^= low >> 29;
    }
};

class Trace {
public:
    static constexpr u64 digest_events = 65536;
    static constexpr u32 recent_events = 64;

    enum class Keep : u8 { hash, events };
    explicit Trace(Keep keep)
        : keep_(keep)
    {
    }

    void add(Event const& event);
    // For a restart point: events before it are in the hash alone. False: cut off.
    void save(hosted::StateWriter& to);
    bool load(hosted::StateReader& from);
    // The task of the event that is about to be added; kept where events are.
    void name(u32 task, char const* text);

    std::vector<TaskName> const& names() const { return names_; }
    u64 count() const { return count_; }
    Hash const& hash() const { return hash_; }
    std::vector<Hash> const& digests() const { return digests_; }
    std::vector<Event> const& events() const { return events_; }
    // The `back`th newest, 1..recent_events; only while count() is at least that.
    Event const& recent(u32 back) const { return recent_[(count_ - back) % recent_events]; }

private:
    template <typename Visitor>
    void visit_words(Visitor& visit);

    Keep keep_;
    u64 begun_ = 0; // how many there were before the restart point
    u64 count_ = 0;
    Hash hash_;
    Event recent_[recent_events];
    std::vector<Hash> digests_;
    std::vector<Event> events_;
    std::map<u32, std::string> named_;
    std::vector<TaskName> names_;
};

} // namespace gemel::sim
