#include "sim/record/restart_point.hpp"

#include "sim/record/page_pack.hpp"

#include <gemel/hosted/inspector.hpp>

namespace gemel::sim {

namespace {

constexpr usize list_bytes_max = 256 * 1024; // of one record, and a page

bool write_memory(hosted::System& system, RecordWriter& writer)
{
    auto& memory = *system.machine().memory();
    Inspector const inspector { system.kernel() };
    PageList list;
    for (auto const& range : memory.touched())
        for (auto at = range.begin; at < range.end; at += page_bytes) {
            auto const* page = memory.begin() + at;
            if (inspector.is_free(page) || hosted::is_zero_page(page))
                continue; // what belongs to nobody holds nothing
            list.add(at / page_bytes, page);
            if (list.bytes().size() < list_bytes_max)
                continue;
            if (!writer.add(RecordKind::memory_pages, {}, list.bytes()))
                return false;
            list.clear();
        }
    return writer.add(RecordKind::memory_pages, {}, list.bytes());
}

} // namespace

// --- pages ---

void PageList::add(u64 number, u8 const* page)
{
    u8 packed[packed_bytes_max];
    auto const bytes = pack_page(page, packed);
    put_number(bytes_, number - next_);
    put_number(bytes_, bytes);
    auto const* from = bytes != 0 ? packed : page;
    bytes_.insert(bytes_.end(), from, from + (bytes != 0 ? bytes : page_bytes));
    next_ = number + 1;
}

bool take_pages(std::span<u8 const> bytes, u64& next, PutPage const& put)
{
    while (!bytes.empty()) {
        Fields fields { bytes };
        auto const number = next + fields.number();
        auto const packed = fields.number();
        auto const length = packed != 0 ? packed : page_bytes;
        if (!fields.ok() || number < next || length > fields.rest().size())
            return false;
        auto const from = fields.rest().first(length);
        u8 page[page_bytes];
        if (packed != 0 && !unpack_page(from, page))
            return false;
        if (!put(number, packed != 0 ? page : from.data()))
            return false;
        next = number + 1;
        bytes = fields.rest().subspan(length);
    }
    return true;
}

// --- the point ---

RestartOutcome write_restart_point(
    hosted::System& system, Surroundings const& around, RecordWriter& writer)
{
    hosted::StateWriter state;
    if (!system.save(state))
        return RestartOutcome::not_here;
    around.world.save(state);
    around.trace.save(state);
    around.uart.save(state);
    around.clock.save(state);
    around.disk.save(state);
    state(around.disk_requests);
    if (!write_memory(system, writer) || !writer.add(RecordKind::machine_state, state.bytes()))
        return RestartOutcome::no_room;
    std::vector<u8> end;
    for (u32 i = 0; i < 8; ++i)
        end.push_back(static_cast<u8>(writer.check() >> 8 * i));
    put_number(end, around.world.time_ns());
    return writer.add(RecordKind::restart_point, end) ? RestartOutcome::written
                                                      : RestartOutcome::no_room;
}

// What stands in the last record is checked by all before it.
std::optional<u64> pass_restart_point(RecordReader& records)
{
    while (records.next().kind == RecordKind::memory_pages)
        records.take();
    if (records.next().kind != RecordKind::machine_state)
        return std::nullopt;
    records.take();
    Fields fields { records.next().bytes };
    auto const is_whole
        = records.next().kind == RecordKind::restart_point && fields.word() == records.check();
    auto const time_ns = fields.number();
    if (!is_whole || !fields.ok())
        return std::nullopt;
    records.take();
    return time_ns;
}

namespace {

bool load_memory(arch::Machine& machine, RecordReader& records)
{
    u64 next = 0;
    for (; records.next().kind == RecordKind::memory_pages; records.take())
        if (!take_pages(records.next().bytes, next,
                [&](u64 number, u8 const* page) { return machine.put_page(number, page); }))
            return false;
    return true;
}

} // namespace

std::string load_restart_point(
    hosted::System& system, Surroundings const& around, RecordReader& records)
{
    auto later = records;
    if (!pass_restart_point(later))
        return "it is damaged or cut off";
    if (!load_memory(system.machine(), records))
        return "its pages are none";
    hosted::StateReader from { records.next().bytes };
    auto const loaded = system.load(from) && around.world.load(from) && around.trace.load(from)
        && around.uart.load(from) && around.clock.load(from) && around.disk.load(from);
    from(around.disk_requests);
    records = later;
    return loaded && from.ok() && from.at_end() ? "" : "it is no machine that could be";
}

} // namespace gemel::sim
