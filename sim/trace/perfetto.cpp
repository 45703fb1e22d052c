// Field numbers: Perfetto, protos/perfetto/trace (trace_packet, track_descriptor, track_event).
#include "sim/trace/perfetto.hpp"

#include "core/abi/call.hpp"
#include "sim/oracle/oracle.hpp"

#include <map>
#include <utility>
#include <vector>

namespace gemel::sim {

namespace {

enum Wire : u32 { varint = 0, fixed64 = 1, length = 2 };

struct Message {
    std::string text;

    void raw(u64 value)
    {
        char bytes[10];
        usize count = 0;
        for (; value >= 0x80; value >>= 7)
            bytes[count++] = static_cast<char>(value | 0x80);
        bytes[count++] = static_cast<char>(value);
        text.append(bytes, count);
    }
    void add(u32 field, u64 value)
    {
        raw(field << 3 | varint);
        raw(value);
    }
    void add_fixed(u32 field, u64 value)
    {
        raw(field << 3 | fixed64);
        char bytes[8];
        for (u32 i = 0; i < 8; ++i)
            bytes[i] = static_cast<char>(value >> 8 * i);
        text.append(bytes, sizeof bytes);
    }
    void add(u32 field, std::string_view value)
    {
        raw(field << 3 | length);
        raw(value.size());
        text += value;
    }
};

constexpr u64 world_track = 1;
constexpr usize numbers_max = 65536; // of tasks and of threads, as events have them
constexpr usize event_bytes = 48; // of the trace, about
constexpr u16 sends = 3 << 8; // a receive that begins with a message: call or send_first

enum class Type : u8 { begin = 1, end = 2, instant = 3 };

class Writer {
public:
    Writer(std::span<TaskName const> names, usize bytes)
        : names_(names)
    {
        out_.text.reserve(bytes);
        describe(world_track, 0, "world", Kind::plain, 0);
    }

    void event(Event const& event, u64 number)
    {
        while (next_name_ < names_.size() && names_[next_name_].event <= number) {
            auto const& name = names_[next_name_++];
            if (name.task < task_track_.size())
                task_track_[name.task] = next_track_;
            describe(next_track_++, 0, name.text, Kind::process, name.task);
        }
        auto const track = track_of(event);
        told_.text.clear();
        told_.add(9, static_cast<u64>(type_of(event, track)));
        told_.add(11, track);
        if (auto const text = text_of(event); !text.empty())
            told_.add(23, text);
        processor_.text.clear(); // DebugAnnotation
        processor_.add(10, "cpu");
        processor_.add(3, u64 { event.cpu });
        told_.add(4, processor_.text);
        arrows(event, number, told_);
        packet_.text.clear();
        packet_.add(8, event.time_ns);
        packet_.add(11, told_.text);
        finish(packet_);
    }

    std::string take() { return std::move(out_.text); }

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
        auto& last = last_bearer_[event.thread];
        if (last.track != 0 && last.task == task)
            return last.track;
        auto& track = thread_track_[{ event.thread, task }];
        if (track == 0) {
            track = next_track_++;
            describe(track, task, "thread " + std::to_string(event.thread), Kind::plain, 0);
        }
        last = { task, track };
        return track;
    }

    // A thread's first turn ends no call, and a power cut ends every one unseen.
    Type type_of(Event const& event, u64 track)
    {
        if (event.kind == EventKind::power_cut)
            in_call_.assign(in_call_.size(), false);
        if (in_call_.size() <= track)
            in_call_.resize(track + 1);
        bool const was_in_call = in_call_[track];
        if (event.kind == EventKind::enter) {
            in_call_[track] = true;
            return was_in_call ? Type::instant : Type::begin;
        }
        if (event.kind == EventKind::resume && was_in_call) {
            in_call_[track] = false;
            return Type::end;
        }
        return Type::instant;
    }

    std::string_view numbered(std::string_view what, u64 number)
    {
        label_ = what;
        label_ += ' ';
        return label_ += std::to_string(number);
    }

    // Good until the next one.
    std::string_view text_of(Event const& event)
    {
        switch (event.kind) {
        case EventKind::enter: {
            auto const number = event.call & 0xFF;
            return number >= call_first && number <= call_last
                ? calls[static_cast<usize>(number - call_first)].name
                : numbered("call", number);
        }
        case EventKind::resume:
            return "turn";
        case EventKind::interrupt:
            return numbered("interrupt", event.a);
        case EventKind::fault:
            return "killed";
        case EventKind::decision:
            return numbered(name_of(static_cast<sim::Kind>(event.a)), event.b);
        case EventKind::console:
            label_ = "out ";
            return label_ += static_cast<char>(event.a & 0x7F);
        case EventKind::phase:
            return numbered("phase", event.a);
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
    std::vector<u64> task_track_ = std::vector<u64>(numbers_max);
    std::map<std::pair<u16, u64>, u64> thread_track_; // by number and the task's track
    struct Bearer {
        u64 task = 0; // its track
        u64 track = 0;
    };
    std::vector<Bearer> last_bearer_ = std::vector<Bearer>(numbers_max); // of a thread's number
    std::vector<bool> in_call_; // by track
    Message told_, processor_, packet_; // here, so that each event finds their memory
    std::string label_;
    u16 sender_ = 0;
    u64 arrow_ = 0;
};

} // namespace

std::string perfetto_trace(std::span<Event const> events, std::span<TaskName const> names)
{
    Writer writer { names, events.size() * event_bytes };
    for (usize i = 0; i < events.size(); ++i)
        writer.event(events[i], i);
    return writer.take();
}

} // namespace gemel::sim
