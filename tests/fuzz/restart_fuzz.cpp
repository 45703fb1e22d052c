// A restart point may come from anywhere, and its checks may be right: packed pages, lists of them,
// and the states of a machine and its devices are taken or refused, and write nowhere else.
#include "sim/record/page_pack.hpp"
#include "sim/record/restart_point.hpp"
#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>

using namespace gemel;
using namespace gemel::sim;

namespace {

constexpr u64 memory_bytes = 8u << 20;
constexpr u64 pages_max = memory_bytes / page_bytes;
constexpr u8 guard = 0xA5;

using Input = std::span<u8 const>;

void unpack(Input input)
{
    u8 room[page_bytes + 64];
    std::fill(std::begin(room), std::end(room), guard);
    (void)unpack_page(input, room + 32);
    auto const untouched = [](u8 byte) { return byte == guard; };
    if (!std::all_of(room, room + 32, untouched)
        || !std::all_of(std::end(room) - 32, std::end(room), untouched))
        std::abort();
}

void take_list(Input input)
{
    u64 next = 0;
    u64 last = 0;
    auto first = true;
    u32 volatile sum = 0; // all of a page can be read
    (void)take_pages(input, next, [&](u64 number, u8 const* page) {
        if (!first && number <= last)
            std::abort(); // each once, in order
        first = false;
        last = number;
        sum = std::accumulate(page, page + page_bytes, 0u);
        return number < pages_max;
    });
}

void pass(Input input)
{
    RecordReader records { input, 0 };
    (void)pass_restart_point(records);
    if (records.good_bytes() > input.size())
        std::abort();
}

// The first pages of the memory are the input's, too: what a state says of tables is looked up
// there.
void load_machine(Input input)
{
    arch::Machine machine { memory_bytes };
    machine.on_console([](std::string_view) {});
    u8 page[page_bytes] = {};
    std::copy_n(input.begin(), std::min<usize>(input.size(), page_bytes), page);
    for (u64 number : { u64 { 1 }, pages_max, ~u64 { 0 } })
        if (machine.put_page(number, page) != (number < pages_max))
            std::abort();
    hosted::StateReader from { input };
    (void)machine.load(from);
}

// What the disk's queue finds in memory: a request whose first descriptor leads to another, and
// that to itself.
constexpr u64 available_at = page_bytes;
constexpr u64 used_at = 2 * page_bytes;

void make_queue(arch::Machine& machine)
{
    u8 descriptors[page_bytes] = {};
    for (usize at = 12; at < page_bytes; at += 16)
        descriptors[at] = descriptors[at + 2] = 1; // there is a next one: number 1
    u8 available[page_bytes] = {};
    available[2] = 1; // one request
    (void)machine.put_page(0, descriptors);
    (void)machine.put_page(available_at / page_bytes, available);
}

void load_devices(Input input)
{
    arch::Machine machine { memory_bytes };
    make_queue(machine);
    Uart16550 uart { machine, 4, [](char) {} };
    VirtioBlock disk { machine, 8, -1, 0, ImageAccess::read_only };
    CmosClock clock { [] { return i64 { 0 }; } };
    Trace trace { Trace::Keep::hash };
    hosted::StateReader from { input };
    if (disk.load(from))
        disk.write(0x050, 4, 0); // notified: it looks at its queue
    if (uart.load(from))
        (void)uart.read(2, 1);
    (void)clock.load(from);
    (void)trace.load(from);
}

void (*const ways[])(Input) = { unpack, take_list, pass, load_machine, load_devices };

std::vector<u8> with_way(u8 way, Input bytes)
{
    std::vector<u8> input(1 + bytes.size(), way);
    std::copy(bytes.begin(), bytes.end(), input.begin() + 1);
    return input;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size != 0)
        ways[data[0] % std::size(ways)]({ data + 1, size - 1 });
    return 0;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds()
{
    u8 page[page_bytes] = {};
    for (usize at = 0; at < page_bytes; at += 24)
        page[at] = static_cast<u8>(at / 24);
    u8 packed[packed_bytes_max];
    auto const bytes = pack_page(page, packed);
    PageList list;
    list.add(3, page);
    list.add(5, page);
    arch::Machine machine { memory_bytes };
    machine.on_console([](std::string_view) {});
    hosted::StateWriter words;
    machine.save(words);
    hosted::StateWriter mapping;
    for (u64 const word : { u64 { 1 }, u64 { 0 }, arch::Machine::windows_address })
        mapping(word); // how many, root, address
    mapping(u16 { 1 });
    mapping(u64 { page_bytes }); // leaf
    std::vector<u8> state { words.bytes().begin(), words.bytes().end() - sizeof(u64) };
    state.insert(state.end(), mapping.bytes().begin(), mapping.bytes().end());
    hosted::StateWriter devices;
    VirtioBlock disk { machine, 8, -1, 0, ImageAccess::read_only };
    disk.write(0x038, 4, 8);
    disk.write(0x090, 4, available_at);
    disk.write(0x0A0, 4, used_at);
    disk.write(0x044, 4, 1);
    disk.write(0x070, 4, 4);
    disk.save(devices);
    Uart16550 uart { machine, 4, [](char) {} };
    uart.type("typed");
    uart.save(devices);
    std::vector<u8> backwards { list.bytes().begin(), list.bytes().end() };
    put_number(backwards, ~u64 { 0 }); // the same page once more
    put_number(backwards, bytes);
    backwards.insert(backwards.end(), packed, packed + bytes);
    return { with_way(1, backwards), with_way(0, { packed, bytes }), with_way(1, list.bytes()),
        with_way(2, list.bytes()), with_way(3, state), with_way(4, devices.bytes()) };
}
