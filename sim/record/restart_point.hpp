// A restart point: all that a machine is at one of its kernel exits, at the beginning of a
// recording. Another process of the same program, at the same place, goes on from it. It is for the
// program that wrote it alone: it holds addresses of its code.
#pragma once

#include "sim/devices/cmos_clock.hpp"
#include "sim/devices/uart_16550.hpp"
#include "sim/devices/virtio_block.hpp"
#include "sim/record/session_world.hpp"

#include <optional>

namespace gemel::sim {

// What is saved beside the machine. All of it outlives this.
struct Surroundings {
    SessionWorld& world;
    Trace& trace;
    Uart16550& uart;
    CmosClock& clock;
    VirtioBlock& disk;
    u64& disk_requests; // that the disk's medium has counted
};

enum class RestartOutcome : u8 { written, not_here, no_room };

// The system stands still at a kernel exit. not_here: perhaps at another one; nothing was written.
RestartOutcome write_restart_point(
    hosted::System& system, Surroundings const& around, RecordWriter& writer);

// In a system that never ran. Takes the restart point's records. "" or why it cannot go on from
// there; the system is of no use then.
std::string load_restart_point(
    hosted::System& system, Surroundings const& around, RecordReader& records);

// Takes its records without a look at the machine. Null: there is no whole one; otherwise the
// session's time there.
std::optional<u64> pass_restart_point(RecordReader& records);

// --- the pages of a record of kind memory_pages ---

// Packs pages, in the order of their numbers.
class PageList {
public:
    void add(u64 number, u8 const* page);
    std::span<u8 const> bytes() const { return bytes_; }
    // Those that were added are somewhere else now.
    void clear() { bytes_.clear(); }

private:
    std::vector<u8> bytes_;
    u64 next_ = 0; // the number after the last one's, over all records
};

// Takes them out again: `put` gets each, and answers whether it has a place for it. `next` is the
// number after the last page of the record before, 0 at first. False: these are no pages.
using PutPage = std::function<bool(u64 number, u8 const* page)>;
bool take_pages(std::span<u8 const> bytes, u64& next, PutPage const& put);

} // namespace gemel::sim
