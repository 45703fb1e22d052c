// Whatever a program's file holds, reading it ends, and what it accepts keeps its own promises.
#include "core/base/assert.hpp"
#include "servers/init/program_file.hpp"
#include "tests/fuzz/target.hpp"

#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace {

using namespace gemel;
using namespace gemel::init;

constexpr ProgramRules rules { .machine = 62, .relative = 8 };
constexpr usize relocation_bytes = 24;
constexpr u64 data = region_bytes_max + page_bytes; // where the seeds have it

void check_part(std::span<std::byte const> part, std::span<std::byte const> file)
{
    ASSERT(part.empty()
        || (part.data() >= file.data() && part.data() + part.size() <= file.data() + file.size()));
}

// Applied to memory of just the window's size, each changes a word of its own and nothing beside.
void check_relocations(ProgramWindow const& window)
{
    ASSERT((window.access & static_cast<u16>(VmFlag::execute)) == 0);
    ASSERT(window.relocations.size() % relocation_bytes == 0);
    auto const count = window.relocations.size() / relocation_bytes;
    auto least = window.address + window.offset;
    for (usize at = 0; at != window.relocations.size(); at += relocation_bytes) {
        u64 offset_and_kind[2];
        std::memcpy(offset_and_kind, window.relocations.data() + at, sizeof offset_and_kind);
        ASSERT(offset_and_kind[0] >= least && offset_and_kind[1] == rules.relative);
        least = offset_and_kind[0] + sizeof(u64);
        ASSERT(least <= window.address + window.pages * page_bytes);
    }
    std::vector<std::byte> memory(window.pages * page_bytes);
    std::vector<std::byte> moved(window.pages * page_bytes);
    fill_window(window, memory, 0);
    fill_window(window, moved, 0x0101'0101'0101'0101);
    usize changed = 0;
    for (usize i = 0; i < memory.size(); ++i)
        changed += memory[i] != moved[i];
    ASSERT(changed <= count * sizeof(u64) && changed >= count);
}

void check(ProgramFile const& program, std::span<std::byte const> file)
{
    std::optional<u64> last;
    for (auto const& window : program.windows) {
        ASSERT(window.address % region_bytes_max == 0 && (!last || window.address > *last));
        ASSERT(window.pages >= 1 && window.pages <= region_pages_max);
        ASSERT(window.address + region_bytes_max <= program_bytes_max);
        ASSERT(window.offset + window.file.size() <= window.pages * page_bytes);
        check_part(window.file, file);
        check_part(window.relocations, file);
        if (!window.relocations.empty())
            check_relocations(window);
        last = window.address;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const file = std::as_bytes(std::span(data, size));
    std::optional<u32> foreign;
    auto const program = read_program(file, rules, foreign);
    ASSERT(!foreign || (!program && *foreign != rules.relative));
    if (program)
        check(*program, file);
    return 0;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds()
{
    std::vector<std::uint8_t> elf(640);
    auto const put
        = [&](usize at, u64 value, usize bytes) { std::memcpy(elf.data() + at, &value, bytes); };
    put(0, 0x0001'0102'464C'457F, 8);
    put(16, 62u << 16 | 3, 4);
    put(24, 4, 8);
    put(32, 64, 8);
    put(54, 3u << 16 | 56, 4);
    for (usize i = 0; i < 2; ++i) {
        put(64 + i * 56, u64 { i == 0 ? 5u : 6u } << 32 | 1, 8);
        put(64 + i * 56 + 8, 256, 8);
        put(64 + i * 56 + 16, i * data, 8);
        put(64 + i * 56 + 32, i == 0 ? 64 : 384, 8);
        put(64 + i * 56 + 40, 384 + i * 9000, 8);
    }
    // The dynamic section and a table of four relocations, in the second segment.
    put(64 + 2 * 56, u64 { 4 } << 32 | 2, 8);
    put(64 + 2 * 56 + 8, 320, 8);
    put(64 + 2 * 56 + 32, 64, 8);
    u64 const section[] = { 7, data + 128, 8, 4 * relocation_bytes, 9, relocation_bytes, 0, 0 };
    std::memcpy(elf.data() + 320, section, sizeof section);
    for (usize i = 0; i < 4; ++i) {
        put(384 + i * relocation_bytes, data + 256 + i * 2048, 8);
        put(384 + i * relocation_bytes + 8, rules.relative, 8);
        put(384 + i * relocation_bytes + 16, i * 100, 8);
    }
    std::optional<u32> foreign;
    ASSERT(read_program(std::as_bytes(std::span(elf)), rules, foreign)); // or nothing is tried
    std::string_view const linked = "#!gemel-linked tools\n";
    std::vector<std::vector<std::uint8_t>> seeds { elf, { linked.begin(), linked.end() } };
    // What is one step from the good one, and refused.
    auto const but = [&](usize at, u64 value) {
        auto const good = elf;
        put(at, value, 8);
        seeds.push_back(std::exchange(elf, good));
    };
    constexpr usize first = 384;
    constexpr usize last = 384 + 3 * relocation_bytes;
    but(first, 16); // text
    but(first, data - 4); // before the segment
    but(last, data + 3 * page_bytes - 4); // half behind its last page
    but(last, data + 256 + 2 * 2048 + 4); // overlaps the one before
    but(last, ~0ull - 3);
    but(last + 8, 37); // another type
    but(last + 8, 1ull << 32 | rules.relative); // a symbol
    but(320 + 24, 384); // a table that ends outside
    but(320 + 24, ~0ull / relocation_bytes * relocation_bytes);
    but(320 + 8, ~0ull - 7); // one at the end of all addresses
    return seeds;
}
