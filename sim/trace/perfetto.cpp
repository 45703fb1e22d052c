// Field numbers: Perfetto, protos/perfetto/trace (trace_packet, track_descriptor, track_event).
#include "sim/trace/perfetto.hpp"

#include "core/abi/call.hpp"
#include "sim/oracle/oracle.hpp"

#include <map>
#include <set>

namespace gemel::sim {

namespace {

enum Wire : u32 { varint = 0, fixed64 = 1, bytes = 2 };

struct Message {
    std::string text;

    void raw(u64 value)
    {
        for (; value >= 0x80; value >>= 7)
            text += static_cast<char>(value | 0x80);
        text += static_cast<char>(value);
    }
    void add(u32 field, u64 value)
    {
        raw(field << 3 | varint);
        raw(value);
    }
    void add_fixed(u32 field, u64 value)
    {
        raw(field << 3 | fixed64);
        for (u32 i = 0; i < 8; ++i)
            text += static_cast<char>(value >> 8 * i);
    }
    void add(u32 field, std::string_view value)
    {
        raw(field << 3 | bytes);
        raw(value.size());
        text += value;
    }
};

constexpr u64 world_track = 1;
constexpr u16 sends = 3 << 8; // a receive that begins with a message: call or send_first

enum class Type : u8 { begin = 1, end = 2, instant = 3 };

class Writer {
public:
    explicit Writer(std::span<TaskName const> names)
        : names_(names)
    {
        describe(world_track, 0, "world", Kind::plain, 0);
    }

    void event(Event const& event, u64 number)
    {
        while (next_name_ < names_.size() && names_[next_name_].event <= number) {
            auto const& name = names_[next_name_++];
            describe(
                task_track_[name.task] = next_track_++, 0, name.text, Kind::process, name.task);
        }
        Message told;
        auto const track = track_of(event);
        told.add(9, static_cast<u64>(type_of(event, track)));
        told.add(11, track);
        if (auto const text = text_of(event); !text.empty())
            told.add(23, text);
        Message processor; // DebugAnnotation
        processor.add(10, "cpu");
        processor.add(3, u64 { event.cpu });
        told.add(4, processor.text);
        arrows(event, number, told);
        Message packet;
        packet.add(8, event.time_ns);
        packet.add(11, told.text);
        finish(packet);
    }

    std::string const& text() const { return out_.text; }

private:
    enum class Kind : u8 { plain, process };

    void finish(Message& packet)
    {
        packet.add(10, 1);
        if (out_.text.empty())
            packet.add(13, 1); // nothing before it counts
        out_.add(1, packet.text);
    }

    void describe(u64 track, u64 parent, std::string_view name, Kind kind, u64 number)
    {
        Message track_text;
        track_text.add(1, track);
        track_text.add(2, name);
        if (parent != 0)
            track_text.add(5, parent);
        if (kind == Kind::process) {
            Message process;
            process.add(1, number);
            process.add(6, name);
            track_text.add(3, process.text);
        }
        Message packet;
        packet.add(60, track_text.text);
        finish(packet);
    }

    u64 track_of(Event const& event)
    {
        if (event.thread == 0)
            return world_track;
        auto const task = task_track_[event.task];
        auto& track = thread_track_[{ event.thread, task }];
        if (track == 0) {
            track = next_track_++;
            describe(track, task, "thread " + std::to_string(event.thread), Kind::plain, 0);
        }
        return track;
    }

    // A thread's first turn ends no call, and a power cut ends every one unseen.
    Type type_of(Event const& event, u64 track)
    {
        if (event.kind == EventKind::power_cut)
            in_call_.clear();
        if (event.kind == EventKind::enter)
            return in_call_.insert(track).second ? Type::begin : Type::instant;
        if (event.kind == EventKind::resume && in_call_.erase(track) != 0)
            return Type::end;
        return Type::instant;
    }

    static std::string text_of(Event const& event)
    {
        switch (event.kind) {
        case EventKind::enter: {
            auto const number = event.call & 0xFF;
            return number >= call_first && number <= call_last
                ? std::string { calls[static_cast<usize>(number - call_first)].name }
                : "call " + std::to_string(number);
        }
        case EventKind::resume:
            return "turn";
        case EventKind::interrupt:
            return "interrupt " + std::to_string(event.a);
        case EventKind::fault:
            return "killed";
        case EventKind::decision:
            return std::string { name_of(static_cast<sim::Kind>(event.a)) } + " "
                + std::to_string(event.b);
        case EventKind::console:
            return { 'o', 'u', 't', ' ', static_cast<char>(event.a & 0x7F) };
        case EventKind::phase:
            return "phase " + std::to_string(event.a);
        case EventKind::power_cut:
            return "power cut";
        }
        return "";
    }

    // A call, an answer or a send, and the turn of another thread that follows it at once.
    void arrows(Event const& event, u64 number, Message& told)
    {
        if (event.kind == EventKind::enter) {
            auto const call = static_cast<Call>(event.call & 0xFF);
            auto const message = call == Call::port_send
                || (call == Call::port_receive && (event.call & sends) != 0);
            sender_ = message ? event.thread : 0;
            arrow_ = number + 1;
            if (message)
                told.add_fixed(47, arrow_);
        } else if (event.kind == EventKind::resume && sender_ != 0) {
            if (event.thread != sender_)
                told.add_fixed(48, arrow_);
            sender_ = 0;
        }
    }

    std::span<TaskName const> names_;
    usize next_name_ = 0;
    Message out_;
    // Numbers of tasks and threads are used again: each that bears one has a track of its own.
    u64 next_track_ = world_track + 1;
    std::map<u32, u64> task_track_;
    std::map<std::pair<u16, u64>, u64> thread_track_; // by number and the task's track
    std::set<u64> in_call_; // tracks
    u16 sender_ = 0;
    u64 arrow_ = 0;
};

} // namespace

std::string perfetto_trace(std::span<Event const> events, std::span<TaskName const> names)
{
    Writer writer { names };
    for (usize i = 0; i < events.size(); ++i)
        writer.event(events[i], i);
    return writer.text();
}

} // namespace gemel::sim
