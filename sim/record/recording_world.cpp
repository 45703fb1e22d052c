#include "sim/record/recording_world.hpp"

#include <gemel/hosted/inspector.hpp>

#include <algorithm>

namespace gemel::sim {

namespace {

constexpr usize typed_bytes_max = 4096; // of one record
constexpr u64 patience_ns = 1'000'000'000; // for an idle wait, once a restart point is due

std::span<u8 const> bytes_of(std::string_view text)
{
    return { reinterpret_cast<u8 const*>(text.data()), text.size() };
}

} // namespace

RecordingWorld::RecordingWorld(hosted::System& system, Trace& trace, RecordWriter* writer)
    : SessionWorld(system, trace)
    , writer_(writer)
{
    if (!writer_)
        stop_tracing();
}

u64 RecordingWorld::since_position()
{
    auto const count = entries() - position();
    position_is(entries());
    return count;
}

void RecordingWorld::add(
    RecordKind kind, std::span<u8 const> fields, std::span<u8 const> bytes) noexcept
{
    auto const had_room = !writer_->full();
    if (!writer_->add(kind, fields, bytes) && had_room && younger_)
        next_point_ns_ = time_ns(); // the younger one goes on alone
    if (younger_)
        younger_->add(kind, fields, bytes);
}

// --- windows ---

void RecordingWorld::keep_window(u64 length_ns)
{
    window_ns_ = length_ns;
    next_point_ns_ = time_ns() + length_ns;
}

void RecordingWorld::begins(RecordWriter& writer)
{
    if (younger_) {
        writer_->add(RecordKind::end, encode(end_here(RecordingEnd::How::elsewhere)));
        writer_ = younger_;
    }
    younger_ = &writer;
    next_point_ns_ = time_ns() + window_ns_;
}

// Best where nobody waits for what it takes; any exit will do.
bool RecordingWorld::wants_restart_point(Kernel const& kernel) const
{
    if (time_ns() < next_point_ns_)
        return false;
    auto idles = true;
    for (u32 cpu = 0; cpu < kernel.cpu_count(); ++cpu)
        idles = idles && !kernel.cpu(cpu).current;
    return idles || time_ns() - next_point_ns_ >= std::min(window_ns_ / 8, patience_ns);
}

// --- time ---

u64 RecordingWorld::read_clock() noexcept
{
    auto const now = std::max(system().machine().host_ns(), time_ns());
    if (writer_) {
        fields_.clear();
        put_number(fields_, now - time_ns());
        add(RecordKind::time, fields_);
    }
    return now;
}

void RecordingWorld::go_on_from(u64 time_ns)
{
    time_is(time_ns);
    system().machine().host_clock_is(time_ns);
}

// How much of its patience a tick costs. Task code runs, so that the kernel stands still; between
// isolated tasks it cannot be looked at.
u32 RecordingWorld::cost_of_tick() noexcept
{
    auto& machine = system().machine();
    if (machine.isolated() || !outside_waits_ || outside_waits_())
        return patience / ticks_for_outside;
    auto const waits = Inspector { system().kernel() }.somebody_waits(machine.host_ns());
    return waits ? patience / ticks_for_threads : 0;
}

bool RecordingWorld::ticked(hosted::TickPlace place) noexcept
{
    if (!writer_)
        return true;
    due_.store(true, std::memory_order_relaxed);
    if (entries() != entries_at_tick_)
        spent_ = 0;
    entries_at_tick_ = entries();
    // A long call of the host is no computation, nor does a library that it stands in begin one.
    if (place == hosted::TickPlace::kernel || (spent_ += cost_of_tick()) < patience)
        return false;
    giving_up_.store(true, std::memory_order_relaxed);
    return true;
}

void RecordingWorld::leaving(Kernel& kernel)
{
    if (!writer_)
        return;
    if (wants_restart_point(kernel)) [[unlikely]]
        system().stand_still_at_exit();
    if (giving_up_.load(std::memory_order_relaxed)) [[unlikely]]
        return give_up();
    if (entries() % digest_entries == 0) [[unlikely]] {
        fields_.clear();
        put_number(fields_, since_position());
        auto const& hash = trace().hash();
        for (auto const word : { hash.high, hash.low })
            for (u32 i = 0; i < 8; ++i)
                fields_.push_back(static_cast<u8>(word >> 8 * i));
        add(RecordKind::digest, fields_);
    }
    if (!due_.load(std::memory_order_relaxed)) [[likely]]
        return;
    due_.store(false, std::memory_order_relaxed);
    fields_.clear();
    put_number(fields_, since_position());
    add(RecordKind::tick, fields_);
    time_has_moved();
    system().machine().tick_arrived(); // the machine hears Linux when it takes it
}

void RecordingWorld::idle(u64) noexcept
{
    if (writer_) {
        fields_.clear();
        put_number(fields_, since_position());
        for (u32 i = 0; i < 4; ++i)
            fields_.push_back(static_cast<u8>(trace().hash().low >> 8 * i));
        add(RecordKind::idle, fields_);
    }
    system().machine().sleep(time_ns());
    time_has_moved();
}

u64 RecordingWorld::entropy() noexcept
{
    auto const value = arch::Machine::host_entropy();
    if (writer_) {
        u8 bytes[8];
        for (u32 i = 0; i < 8; ++i)
            bytes[i] = static_cast<u8>(value >> 8 * i);
        add(RecordKind::entropy, bytes);
    }
    return value;
}

// --- what the outside does ---

void RecordingWorld::typed(std::string_view bytes)
{
    for (usize at = 0; writer_ && at < bytes.size(); at += typed_bytes_max)
        add(RecordKind::typed, bytes_of(bytes.substr(at, typed_bytes_max)));
}

i64 RecordingWorld::wall_clock(i64 seconds, i64 begun)
{
    if (writer_) {
        fields_.clear();
        put_number(fields_, zigzag(seconds - begun));
        add(RecordKind::wall_clock, fields_);
    }
    return seconds;
}

void RecordingWorld::disk_bytes(Whose whose, u64 sector, std::span<u8 const> bytes)
{
    fields_.clear();
    put_number(fields_, sector);
    put_number(fields_, bytes.size() / 512);
    auto const empty = std::all_of(bytes.begin(), bytes.end(), [](u8 byte) { return byte == 0; });
    writer_of(whose).add(RecordKind::disk_bytes, fields_, empty ? std::span<u8 const> {} : bytes);
}

void RecordingWorld::disk_written(Whose whose, u64 sector, u64 count)
{
    fields_.clear();
    put_number(fields_, sector);
    put_number(fields_, count);
    writer_of(whose).add(RecordKind::disk_written, fields_);
}

void RecordingWorld::disk_failed(u64 request)
{
    if (!writer_)
        return;
    fields_.clear();
    put_number(fields_, request);
    add(RecordKind::disk_failed, fields_);
}

// --- the end ---

void RecordingWorld::failed(Failure const& failure) noexcept
{
    if (writer_) {
        fields_.clear();
        put_number(fields_, failure.event);
        std::string text = failure.check;
        for (auto const* part : { &failure.what, &failure.task })
            (text += '\0') += *part;
        add(RecordKind::failure, fields_, bytes_of(text));
    }
    if (!failure_)
        failure_ = failure;
}

void RecordingWorld::dies() noexcept
{
    next_point_ns_ = ~0ull; // what led to this stays
    if (death_hook_)
        death_hook_();
}

RecordingEnd RecordingWorld::end_here(RecordingEnd::How how)
{
    RecordingEnd end;
    end.entries = entries();
    end.events = trace().count();
    end.l1 = trace().hash();
    end.how = how;
    return end;
}

// The thread stands somewhere in its own code, where no replay can stop it: what follows is not
// recorded. Everything before is.
void RecordingWorld::give_up()
{
    add(RecordKind::end, encode(end_here(RecordingEnd::How::gave_up)));
    writer_ = nullptr;
    younger_ = nullptr;
    gave_up_ = true;
    stop_tracing();
}

void RecordingWorld::finish(u8 status, u64 image_changed_ns)
{
    if (!writer_)
        return;
    auto end = end_here(left_ ? RecordingEnd::How::left : RecordingEnd::How::off);
    end.status = status;
    end.image_changed_ns = image_changed_ns;
    add(RecordKind::end, encode(end));
}

} // namespace gemel::sim
