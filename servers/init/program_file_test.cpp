#include "servers/init/program_file.hpp"

#include <cstring>
#include <gtest/gtest.h>

namespace gemel::init {

namespace {

constexpr u16 machine = 62;
constexpr ProgramRules rules { .machine = machine, .begin = 0x20'0000, .end = 0x7000'0000 };
constexpr usize text_at = 0x1000;
constexpr u64 base = 0x40'0000;

// A file of two segments: 64 bytes of text, and data that is larger in memory than in the file.
struct Elf {
    std::vector<std::byte> bytes = std::vector<std::byte>(0x3000);

    Elf()
    {
        put<u64>(0, 0x0001'0102'464C'457F); // magic, 64 bits, little-endian, version
        put<u16>(16, 2);
        put<u16>(18, machine);
        put<u64>(24, base + 4);
        put<u64>(32, 64);
        put<u16>(54, 56);
        put<u16>(56, 2);
        segment(0, 5, text_at, base, 64, 64);
        segment(1, 6, 0x2000, base + region_bytes_max + 16, 32, 3 * page_bytes);
    }
    template <typename T>
    void put(usize at, T value)
    {
        std::memcpy(bytes.data() + at, &value, sizeof value);
    }
    void segment(usize index, u32 flags, u64 offset, u64 address, u64 file, u64 memory)
    {
        auto const at = 64 + index * 56;
        put<u32>(at, 1);
        put<u32>(at + 4, flags);
        put<u64>(at + 8, offset);
        put<u64>(at + 16, address);
        put<u64>(at + 32, file);
        put<u64>(at + 40, memory);
    }
    Result<ProgramFile> read() const { return read_program(bytes, rules); }
};

// Goal: segments become windows with their place, access and bytes.
// Method: the good file.
TEST(ProgramFile, SplitsSegmentsIntoWindows)
{
    Elf const elf;
    auto const program = elf.read();
    ASSERT_TRUE(program);
    EXPECT_EQ(program->entry, base + 4);
    ASSERT_EQ(program->windows.size(), 2u);
    EXPECT_EQ(program->windows[0].address, base);
    EXPECT_EQ(program->windows[0].pages, 1u);
    EXPECT_EQ(program->windows[0].file.data(), elf.bytes.data() + text_at);
    EXPECT_EQ(program->windows[1].offset, 16u);
    EXPECT_EQ(program->windows[1].pages, 4u);
    EXPECT_EQ(program->windows[1].file.size(), 32u);
}

// Goal: a segment over several windows is split, and the rest of the last is zero memory.
// Method: data of two and a half windows, of which one byte in the second is the file's last.
TEST(ProgramFile, SplitsALargeSegment)
{
    Elf elf;
    elf.bytes.resize(0x2000 + region_bytes_max + 1);
    elf.segment(
        1, 6, 0x2000, base + region_bytes_max, region_bytes_max + 1, 5 * region_bytes_max / 2);
    auto const program = elf.read();
    ASSERT_TRUE(program);
    ASSERT_EQ(program->windows.size(), 4u);
    EXPECT_EQ(program->windows[2].file.size(), 1u);
    EXPECT_TRUE(program->windows[3].file.empty());
    EXPECT_EQ(program->windows[3].pages, 256u);
}

struct Mistake {
    char const* name;
    void (*make)(Elf&);
};

constexpr Mistake mistakes[] = {
    { "another machine", [](Elf& elf) { elf.put<u16>(18, 183); } },
    { "a shared object", [](Elf& elf) { elf.put<u16>(16, 3); } },
    { "32 bits", [](Elf& elf) { elf.put<u8>(4, 1); } },
    { "headers past the end", [](Elf& elf) { elf.put<u64>(32, 0x2FF0); } },
    { "headers far past the end", [](Elf& elf) { elf.put<u64>(32, ~0ull - 8); } },
    { "a segment past the end", [](Elf& elf) { elf.segment(0, 5, 0x2FF0, base, 64, 64); } },
    { "an offset that overflows", [](Elf& elf) { elf.segment(0, 5, ~0ull, base, 64, 64); } },
    { "more file than memory", [](Elf& elf) { elf.segment(0, 5, text_at, base, 64, 32); } },
    { "an address below", [](Elf& elf) { elf.segment(0, 5, text_at, 0, 64, 64); } },
    { "an address that overflows",
        [](Elf& elf) { elf.segment(0, 5, text_at, rules.end - 8, 64, 64); } },
    { "write and execute", [](Elf& elf) { elf.segment(0, 7, text_at, base, 64, 64); } },
    { "two segments in one window",
        [](Elf& elf) { elf.segment(1, 6, 0x2000, base + page_bytes, 32, 32); } },
    { "an entry in data", [](Elf& elf) { elf.put<u64>(24, base + region_bytes_max + 16); } },
    { "no code", [](Elf& elf) { elf.put<u16>(56, 0); } },
};

// Goal: every contradiction is refused with `syntax`.
// Method: the good file with one mistake each.
TEST(ProgramFile, RefusesContradictions)
{
    for (auto const& mistake : mistakes) {
        Elf elf;
        mistake.make(elf);
        auto const program = elf.read();
        ASSERT_FALSE(program) << mistake.name;
        EXPECT_EQ(program.error(), Error::syntax) << mistake.name;
    }
}

// Goal: what a program may ask for is bounded.
// Method: too many segments, and too much memory in one.
TEST(ProgramFile, BoundsSegmentsAndMemory)
{
    Elf many;
    many.put<u16>(56, segments_max + 1);
    EXPECT_EQ(many.read().error(), Error::too_big);
    Elf large;
    large.segment(1, 6, 0x2000, base + region_bytes_max, 0, program_bytes_max + 1);
    EXPECT_EQ(large.read().error(), Error::too_big);
}

// Goal: where no ELF file is acceptable none is, and a descriptor names its program everywhere.
// Method: both files under both rules, and broken descriptors.
TEST(ProgramFile, ReadsDescriptors)
{
    EXPECT_EQ(read_program(Elf().bytes, {}).error(), Error::syntax);
    auto const read
        = [](std::string_view text) { return read_program(std::as_bytes(std::span(text)), {}); };
    EXPECT_EQ(read("#!gemel-linked tools\n")->linked, "tools");
    EXPECT_EQ(read("#!gemel-linked tools").error(), Error::syntax);
    EXPECT_EQ(read("#!gemel-linked \n").error(), Error::syntax);
    EXPECT_EQ(read("").error(), Error::syntax);
}

} // namespace

} // namespace gemel::init
