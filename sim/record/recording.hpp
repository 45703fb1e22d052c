// A recording: what a live session was told from outside, in order. It begins with what the machine
// was made of; then come records, each with its length and with a check that covers everything
// before it as well, so that a file that ends anywhere (or was damaged there) is good up to there.
#pragma once

#include "core/base/types.hpp"
#include "sim/trace/trace.hpp"

#include <span>
#include <string>
#include <vector>

namespace gemel::sim {

// What was answered or what happened. Numbers are the file's: add, never change.
enum class RecordKind : u8 {
    nothing = 0, // the end of what was written
    time = 1, // nanoseconds since the last answer
    entropy = 2, // 8 bytes
    wall_clock = 3, // seconds since the start's, zigzag
    tick = 4, // kernel entries since the last position; what was typed by then follows
    idle = 5, // the same, and four bytes of L1; what was typed until its end follows
    typed = 6, // bytes
    disk_bytes = 7, // first sector, sectors; their bytes, or none when all are zero
    disk_failed = 8, // number of the request
    digest = 9, // kernel entries since the last position, L1
    failure = 10, // event, then "check\0what\0task"
    end = 11, // RecordingEnd
    computed = 12, // kept for: what a thread had computed when it was preempted in its own code
    frame = 13, // kept for: bytes from a network
    // A restart point, before all others (restart_point.hpp).
    memory_pages = 14, // of each: how many numbers further than the last, length, bytes
    machine_state = 15, // everything else
    restart_point = 16, // it is whole: 8 bytes, a check of the file up to here
    disk_written = 17, // first sector, sectors: written, and never read before
};

// What the machine was made of, and by whom.
struct RecordingStart {
    static constexpr usize text_bytes_max = 65536; // of each text

    u64 build = 0; // identifies the program
    u64 memory_bytes = 0;
    u64 disk_bytes = 0;
    i64 wall_clock_s = 0; // when it was switched on
    u64 image_changed_ns = 0; // the image file's time of change, then
    u32 cpus = 1;
    u8 disk_writable = 0;
    u8 boot_hidden = 0; // of the boot, the session's user saw nothing
    u8 at_prompt = 0; // a person at a terminal
    std::string command_line;
    std::string image; // where the disk was, for what the session never read
    // It begins with a restart point and not with the boot; then, where the program and its
    // libraries were, and which ones.
    u8 at_restart_point = 0;
    u64 place = 0;
};

// How it ended. Absent in the file of a process that was killed.
struct RecordingEnd {
    u64 entries = 0; // to the kernel
    u64 events = 0;
    u64 image_changed_ns = 0;
    Hash l1;
    u8 status = 0;
    enum class How : u8 {
        off, // the machine by itself
        left, // its user took it away
        gave_up, // it went on, but nothing more could be recorded
        elsewhere, // it went on in a younger recording
    };
    How how = How::off;
};

std::vector<u8> encode(RecordingStart const& start);
bool is_recording(std::span<u8 const> bytes);
// Why not, in `error`. `begin`: where the records are.
bool decode(std::span<u8 const> bytes, RecordingStart& start, usize& begin, std::string& error);

// --- fields of records: numbers of seven bits a byte, low ones first ---

void put_number(std::vector<u8>& to, u64 value);
constexpr u64 zigzag(i64 value)
{
    return static_cast<u64>(value) << 1 ^ static_cast<u64>(value >> 63);
}
constexpr i64 from_zigzag(u64 value)
{
    return static_cast<i64>(value >> 1) ^ -static_cast<i64>(value & 1);
}

// Takes fields from the front. What is not there is 0, and ok() says so.
class Fields {
public:
    explicit Fields(std::span<u8 const> bytes)
        : left_(bytes)
    {
    }
    u64 number();
    u64 word(); // eight bytes
    u32 half();
    u8 byte();
    std::span<u8 const> rest() const { return left_; }
    bool ok() const { return ok_; }

private:
    u64 fixed(usize bytes);

    std::span<u8 const> left_;
    bool ok_ = true;
};

// --- writing ---

// Where a recording's bytes go: they have to be safe once they are there, whatever then becomes of
// the process.
class RecordStore {
public:
    virtual ~RecordStore() = default;
    // `bytes` at the end, zeroes, for the caller to fill; null: there is no more room.
    virtual u8* extend(usize bytes) noexcept = 0;
};

class RecordWriter {
public:
    // The store outlives it. `begun`: what was written before the first record (the start).
    RecordWriter(RecordStore& store, std::span<u8 const> begun);

    // False: there is no more room; this record and all that follow are lost.
    bool add(RecordKind kind, std::span<u8 const> fields, std::span<u8 const> bytes = {}) noexcept;
    bool full() const { return full_; }
    // The check of all that was written.
    u64 check() const { return chain_; }

private:
    RecordStore& store_;
    u64 chain_;
    bool full_ = false;
};

// --- reading ---

struct Record {
    RecordKind kind = RecordKind::nothing;
    std::span<u8 const> bytes;
};

class RecordReader {
public:
    // `file` from its first byte; records begin at `begin`.
    RecordReader(std::span<u8 const> file, usize begin);

    // The next record; kind `nothing` when there is none.
    Record const& next() const { return next_; }
    void take();
    // How much of the file is good so far, and whether something other than zeroes follows the end.
    usize good_bytes() const { return at_; }
    bool damaged() const;
    // Of that much of the file.
    u64 check() const { return chain_; }

private:
    void look();

    std::span<u8 const> file_;
    usize at_; // the next record's place
    usize after_ = 0; // and the one behind it
    u64 chain_;
    u64 next_chain_ = 0;
    Record next_;
};

std::vector<u8> encode(RecordingEnd const& end);
bool decode(std::span<u8 const> bytes, RecordingEnd& end);

// How many readings of the clock are written down: a program that reads it all the time would
// otherwise fill the disk. Who records and who plays back count alike.
class ReadBudget {
public:
    static constexpr u32 burst = 65536;
    static constexpr u64 ns_per_reading = 1'000'000; // in the long run

    // False: this reading is not written down.
    bool take();
    // Time has come to `now_ns`.
    void refill(u64 now_ns);

private:
    u32 left_ = burst;
    u64 filled_ns_ = 0;
};

} // namespace gemel::sim
