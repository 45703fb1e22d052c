#include "sim/record/played_world.hpp"

#include <algorithm>

namespace gemel::sim {

namespace {

constexpr u8 status_stopped = 250;

char const* name_of(RecordKind kind)
{
    constexpr char const* names[] = { "the end of the file", "a reading of the clock", "entropy",
        "a reading of the time of day", "a tick", "an idle wait", "typed bytes",
        "bytes of the disk", "a failure of the disk", "a digest", "a failure",
        "the end of the session", "a computation", "a frame", "memory", "a machine's state",
        "a restart point", "a write to the disk" };
    return names[static_cast<u32>(kind)];
}

std::string_view text_of(std::span<u8 const> bytes)
{
    return { reinterpret_cast<char const*>(bytes.data()), bytes.size() };
}

} // namespace

PlayedWorld::PlayedWorld(hosted::System& system, Trace& trace, RecordReader records, Typed typed)
    : SessionWorld(system, trace)
    , records_(records)
    , typed_(std::move(typed))
{
}

// --- the records ---

std::optional<Record> PlayedWorld::taken(RecordKind kind)
{
    auto const record = records_.next();
    if (record.kind != kind)
        return std::nullopt;
    records_.take();
    return record;
}

std::optional<Record> PlayedWorld::expect(RecordKind kind, char const* asked)
{
    if (records_.next().kind == RecordKind::nothing) {
        end_if_over();
        return std::nullopt;
    }
    auto const record = taken(kind);
    if (!record)
        differ(std::string { "it " } + asked + ", and " + name_of(records_.next().kind)
            + " is what was recorded");
    return record;
}

void PlayedWorld::take_typed()
{
    while (auto const record = taken(RecordKind::typed))
        typed_(text_of(record->bytes));
}

// A record says that it is at the current entry.
void PlayedWorld::take_position(u64 count)
{
    if (position() + count != entries())
        differ("entry " + std::to_string(entries()) + " to the kernel is one of idling, and entry "
            + std::to_string(position() + count) + " was");
    position_is(entries());
}

// --- the questions ---

u64 PlayedWorld::read_clock() noexcept
{
    auto const record = expect(RecordKind::time, "asks for the time");
    return record ? time_ns() + Fields { record->bytes }.number() : time_ns();
}

u64 PlayedWorld::entropy() noexcept
{
    auto const record = expect(RecordKind::entropy, "asks for entropy");
    return record ? Fields { record->bytes }.word() : 0;
}

i64 PlayedWorld::wall_clock(i64 begun)
{
    auto const record = expect(RecordKind::wall_clock, "asks for the time of day");
    return begun + (record ? from_zigzag(Fields { record->bytes }.number()) : 0);
}

void PlayedWorld::idle(u64) noexcept
{
    auto const record = expect(RecordKind::idle, "idles");
    if (!record)
        return;
    Fields fields { record->bytes };
    take_position(fields.number());
    if (fields.half() != static_cast<u32>(trace().hash().low))
        differ("the events since the last digest are others than were recorded");
    take_typed();
    end_if_over();
    time_has_moved();
}

// Ticks and digests say after which entry they are.
void PlayedWorld::leaving(Kernel&)
{
    if (stopped_)
        stop();
    end_if_over();
    for (;;) {
        auto const kind = records_.next().kind;
        if (kind != RecordKind::tick && kind != RecordKind::digest)
            return;
        Fields fields { records_.next().bytes };
        if (position() + fields.number() != entries())
            return;
        records_.take();
        position_is(entries());
        if (kind == RecordKind::tick) {
            take_typed();
            end_if_over();
            time_has_moved();
            return system().machine().tick_arrived();
        }
        auto const high = fields.word();
        if (!(Hash { high, fields.word() } == trace().hash()))
            differ("the events since the last digest are others than were recorded");
        end_if_over();
    }
}

// --- the end ---

void PlayedWorld::stop()
{
    stopped_ = true;
    if (entries() != 0) // the kernel boots: nothing runs that could be switched off
        system().machine().power_off(status_stopped);
}

// Whether what follows was recorded at all. A file that was cut off is good to its last record and
// says nothing of the time behind it.
void PlayedWorld::end_if_over()
{
    auto const& next = records_.next();
    if (next.kind == RecordKind::nothing) {
        cut_ = true;
        return over_hook_ && over_hook_() ? void() : stop();
    }
    RecordingEnd end;
    if (next.kind != RecordKind::end || !decode(next.bytes, end)
        || end.how == RecordingEnd::How::off || end.entries != entries())
        return;
    how_ = end.how;
    // Where it was given up, its thread had been chosen already: one event more.
    if (end.how != RecordingEnd::How::gave_up && !(end.l1 == trace().hash()))
        differ("it comes to the end with other events than were recorded");
    if (!over_hook_ || !over_hook_())
        stop();
}

void PlayedWorld::finish(u8 status)
{
    if (stopped_ || difference_)
        return;
    auto const record = taken(RecordKind::end);
    RecordingEnd end;
    if (!record || !decode(record->bytes, end)) {
        cut_ = records_.next().kind == RecordKind::nothing;
        if (!cut_)
            differ(std::string { "the machine is off, and " } + name_of(records_.next().kind)
                + " is what was recorded");
        return;
    }
    if (end.status != status || end.entries != entries() || !(end.l1 == trace().hash()))
        differ("the machine is off with status " + std::to_string(status) + " after entry "
            + std::to_string(entries()) + "; recorded were status " + std::to_string(end.status)
            + ", entry " + std::to_string(end.entries) + " and other events");
}

void PlayedWorld::differ(std::string what)
{
    if (!difference_)
        difference_ = Failure { "difference", std::move(what), "", time_ns(), trace().count() };
    if (!system().machine().powered_off())
        stop();
}

void PlayedWorld::failed(Failure const& failure) noexcept
{
    if (auto const record = taken(RecordKind::failure)) {
        Fields fields { record->bytes };
        auto const event = fields.number();
        auto const told = text_of(fields.rest());
        if (event != failure.event || !told.starts_with(failure.check))
            differ("\"" + failure.check + ": " + failure.what + "\" is not what was recorded");
    } else if (records_.next().kind != RecordKind::nothing) {
        differ("\"" + failure.check + ": " + failure.what + "\" was not recorded");
    }
    if (failure_hook_)
        failure_hook_(failure);
}

} // namespace gemel::sim
