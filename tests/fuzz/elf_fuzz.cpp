// Whatever a program's file holds, reading it ends, and what it accepts keeps its own promises.
#include "core/base/assert.hpp"
#include "servers/init/program_file.hpp"
#include "tests/fuzz/target.hpp"

#include <cstdlib>
#include <cstring>

namespace {

using namespace gemel;
using namespace gemel::init;

constexpr ProgramRules rules { .machine = 62, .begin = 0x20'0000, .end = 0x7000'0000 };

void check(ProgramFile const& program, std::span<std::byte const> file)
{
    u64 last = 0;
    for (auto const& window : program.windows) {
        ASSERT(window.address % region_bytes_max == 0 && window.address > last);
        ASSERT(window.pages >= 1 && window.pages <= region_pages_max);
        ASSERT(window.address >= rules.begin && window.address + region_bytes_max <= rules.end);
        ASSERT(window.offset + window.file.size() <= window.pages * page_bytes);
        ASSERT(window.file.empty()
            || (window.file.data() >= file.data()
                && window.file.data() + window.file.size() <= file.data() + file.size()));
        last = window.address;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const file = std::as_bytes(std::span(data, size));
    if (auto const program = read_program(file, rules))
        check(*program, file);
    return 0;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds()
{
    std::vector<std::uint8_t> elf(256);
    auto const put
        = [&](usize at, u64 value, usize bytes) { std::memcpy(elf.data() + at, &value, bytes); };
    put(0, 0x0001'0102'464C'457F, 8);
    put(16, 62u << 16 | 2, 4);
    put(24, 0x40'0004, 8);
    put(32, 64, 8);
    put(54, 2u << 16 | 56, 4);
    for (usize i = 0; i < 2; ++i) {
        put(64 + i * 56, u64 { i == 0 ? 5u : 6u } << 32 | 1, 8);
        put(64 + i * 56 + 8, 192, 8);
        put(64 + i * 56 + 16, 0x40'0000 + i * region_bytes_max, 8);
        put(64 + i * 56 + 32, 64, 8);
        put(64 + i * 56 + 40, 64 + i * 9000, 8);
    }
    std::string_view const linked = "#!gemel-linked tools\n";
    return { elf, { linked.begin(), linked.end() } };
}
