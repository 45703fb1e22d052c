#include "servers/init/elf_format.hpp"
#include "servers/init/program_file.hpp"

#include <cstring>
#include <gtest/gtest.h>

namespace gemel::init {

namespace {

constexpr u16 machine = 62;
constexpr u32 relative = 8;
constexpr ProgramRules rules { .machine = machine, .relative = relative };
constexpr usize text_at = 0x1000;
constexpr usize data_at = 0x2000;
constexpr usize constants_at = 0x2800;
constexpr usize table_at = 0x2900;
constexpr usize dynamic_at = 0x2A00;
constexpr u64 text = 0;
constexpr u64 data = region_bytes_max + 16;
constexpr u64 constants = 2 * region_bytes_max;
constexpr usize entries = 4;

// A file of three segments: 64 bytes of text, data that is larger in memory than in the file, and
// constants with the table of four relocations and the dynamic section.
struct Elf {
    std::vector<std::byte> bytes = std::vector<std::byte>(0x3000);

    Elf()
    {
        put<u64>(0, 0x0001'0102'464C'457F); // magic, 64 bits, little-endian, version
        put<u16>(16, 3);
        put<u16>(18, machine);
        put<u64>(24, text + 4);
        put<u64>(32, 64);
        put<u16>(54, 56);
        put<u16>(56, 4);
        segment(0, 5, text_at, text, 64, 64);
        segment(1, 6, data_at, data, 32, 3 * page_bytes);
        segment(2, 4, constants_at, constants, 0x300, 0x300);
        segment(3, 4, dynamic_at, constants + (dynamic_at - constants_at), 64, 64);
        put<u32>(64 + 3 * 56, 2);
        relocation(0, data, 0x11);
        relocation(1, data + 3 * page_bytes - 24, 0x22);
        relocation(2, constants, 0x33);
        relocation(3, constants + 8, 0x44);
        dynamic(0, 7, constants + (table_at - constants_at));
        dynamic(1, 8, entries * 24);
        dynamic(2, 9, 24);
        dynamic(3, 0, 0);
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
    void relocation(usize index, u64 offset, u64 addend, u64 information = relative)
    {
        put(table_at + index * 24, offset);
        put(table_at + index * 24 + 8, information);
        put(table_at + index * 24 + 16, addend);
    }
    void dynamic(usize index, u64 tag, u64 value)
    {
        put(dynamic_at + index * 16, tag);
        put(dynamic_at + index * 16 + 8, value);
    }
    Result<ProgramFile> read() const
    {
        std::optional<u32> foreign;
        return read_program(bytes, rules, foreign);
    }
};

// Goal: segments become windows with their place, access and bytes.
// Method: the good file.
TEST(ProgramFile, SplitsSegmentsIntoWindows)
{
    Elf const elf;
    auto const program = elf.read();
    ASSERT_TRUE(program);
    EXPECT_EQ(program->entry, text + 4);
    ASSERT_EQ(program->windows.size(), 3u);
    EXPECT_EQ(program->windows[0].address, text);
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
    elf.bytes.resize(data_at + region_bytes_max + 1);
    elf.put<u16>(56, 2);
    elf.segment(1, 6, data_at, region_bytes_max, region_bytes_max + 1, 5 * region_bytes_max / 2);
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
    { "a program for a fixed place", [](Elf& elf) { elf.put<u16>(16, 2); } },
    { "32 bits", [](Elf& elf) { elf.put<u8>(4, 1); } },
    { "headers past the end", [](Elf& elf) { elf.put<u64>(32, 0x2FF0); } },
    { "headers far past the end", [](Elf& elf) { elf.put<u64>(32, ~0ull - 8); } },
    { "a segment past the end", [](Elf& elf) { elf.segment(0, 5, 0x2FF0, text, 64, 64); } },
    { "an offset that overflows", [](Elf& elf) { elf.segment(0, 5, ~0ull, text, 64, 64); } },
    { "more file than memory", [](Elf& elf) { elf.segment(0, 5, text_at, text, 64, 32); } },
    { "an address too high",
        [](Elf& elf) { elf.segment(1, 6, data_at, program_bytes_max - 8, 32, 32); } },
    { "an address that overflows",
        [](Elf& elf) { elf.segment(1, 6, data_at, ~0ull - 8, 32, 32); } },
    { "write and execute", [](Elf& elf) { elf.segment(0, 7, text_at, text, 64, 64); } },
    { "two segments in one window",
        [](Elf& elf) { elf.segment(1, 6, data_at, text + page_bytes, 32, 32); } },
    { "an entry in data", [](Elf& elf) { elf.put<u64>(24, data); } },
    { "no code", [](Elf& elf) { elf.put<u16>(56, 0); } },
    { "a dynamic section past the end", [](Elf& elf) { elf.put<u64>(64 + 3 * 56 + 8, 0x2FF0); } },
    { "a dynamic section without an end", [](Elf& elf) { elf.dynamic(3, 9, 24); } },
    { "an empty one", [](Elf& elf) { elf.put<u64>(64 + 3 * 56 + 32, 0); } },
    { "two of them",
        [](Elf& elf) {
            elf.put<u16>(56, 5);
            elf.segment(4, 4, dynamic_at, constants, 64, 64);
            elf.put<u32>(64 + 4 * 56, 2);
        } },
    { "a table outside the segments", [](Elf& elf) { elf.dynamic(0, 7, constants + 0x301); } },
    { "a table that ends outside", [](Elf& elf) { elf.dynamic(1, 8, 24 * 100); } },
    { "a table in zeroed memory", [](Elf& elf) { elf.dynamic(0, 7, data + 32); } },
    { "a table whose size overflows", [](Elf& elf) { elf.dynamic(1, 8, ~0ull / 24 * 24); } },
    { "a table at the end of all addresses", [](Elf& elf) { elf.dynamic(0, 7, ~0ull - 7); } },
    { "half an entry", [](Elf& elf) { elf.dynamic(1, 8, 24 + 12); } },
    { "entries of another size", [](Elf& elf) { elf.dynamic(2, 9, 16); } },
    { "a relocation of text", [](Elf& elf) { elf.relocation(0, text + 8, 0); } },
    { "before its segment", [](Elf& elf) { elf.relocation(0, data - 8, 0); } },
    { "half before it", [](Elf& elf) { elf.relocation(0, data - 4, 0); } },
    { "between segments", [](Elf& elf) { elf.relocation(1, data + 4 * page_bytes, 0); } },
    { "half behind its last page", [](Elf& elf) { elf.relocation(3, constants + 4092, 0); } },
    { "behind everything", [](Elf& elf) { elf.relocation(3, 3 * region_bytes_max, 0); } },
    { "at the end of all addresses", [](Elf& elf) { elf.relocation(3, ~0ull - 3, 0); } },
    { "one twice", [](Elf& elf) { elf.relocation(3, constants, 0); } },
    { "one that overlaps", [](Elf& elf) { elf.relocation(3, constants + 4, 0); } },
    { "out of order", [](Elf& elf) { elf.relocation(3, data + 64, 0); } },
    { "with a symbol", [](Elf& elf) { elf.relocation(0, data, 0, 1ull << 32 | relative); } },
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
    large.segment(1, 6, data_at, region_bytes_max, 0, program_bytes_max + 1);
    EXPECT_EQ(large.read().error(), Error::too_big);
}

// Goal: what depends on the base has it added, wherever it lies, and nothing else changes.
// Method: the good file's windows filled for two bases; a word of the file's and one of zeroed
// memory.
TEST(ProgramFile, AddsTheBase)
{
    Elf elf;
    elf.put<u64>(data_at + 8, 0x5555);
    auto const program = elf.read();
    ASSERT_TRUE(program);
    EXPECT_TRUE(program->windows[0].relocations.empty());
    for (u64 const base : { u64 { 0 }, u64 { 0x1234'5600'0000 } }) {
        std::vector<std::byte> memory(program->windows[1].pages * page_bytes);
        auto const word = [&](usize at) { return elf::read_at<u64>(memory, at); };
        fill_window(program->windows[1], memory, base);
        EXPECT_EQ(word(16), base + 0x11);
        EXPECT_EQ(word(24), 0x5555u);
        EXPECT_EQ(word(16 + 3 * page_bytes - 24), base + 0x22);
        memory.assign(program->windows[2].pages * page_bytes, {});
        fill_window(program->windows[2], memory, base);
        EXPECT_EQ(word(0), base + 0x33);
        EXPECT_EQ(word(8), base + 0x44);
        EXPECT_EQ(word(16), 0u);
    }
}

// Goal: a relocation that is not applied is refused, and named; so is what else only a dynamic
// linker would do. Method: the good file with one of each.
TEST(ProgramFile, RefusesOtherRelocations)
{
    for (u32 const type : { 0u, 1u, 6u, 7u, 37u, 1027u }) {
        Elf elf;
        elf.relocation(2, constants, 0, type);
        std::optional<u32> foreign;
        EXPECT_EQ(read_program(elf.bytes, rules, foreign).error(), Error::unsupported);
        EXPECT_EQ(foreign, type);
    }
    for (u64 const tag : { 1u, 2u, 17u, 22u, 23u, 36u }) {
        Elf elf;
        elf.dynamic(2, tag, 8);
        EXPECT_EQ(elf.read().error(), Error::unsupported) << tag;
    }
}

// Goal: a program of which nothing depends on the base needs no table.
// Method: no dynamic section, and one that names none.
TEST(ProgramFile, NeedsNoRelocations)
{
    Elf none;
    none.put<u16>(56, 3);
    Elf empty;
    empty.dynamic(0, 0, 0);
    for (auto const& elf : { none, empty }) {
        auto const program = elf.read();
        ASSERT_TRUE(program);
        for (auto const& window : program->windows)
            EXPECT_TRUE(window.relocations.empty());
    }
}

// Goal: where no ELF file is acceptable none is, and a descriptor names its program everywhere.
// Method: both files under both rules, and broken descriptors.
TEST(ProgramFile, ReadsDescriptors)
{
    std::optional<u32> foreign;
    EXPECT_EQ(read_program(Elf().bytes, {}, foreign).error(), Error::syntax);
    auto const read = [&](std::string_view text) {
        return read_program(std::as_bytes(std::span(text)), {}, foreign);
    };
    EXPECT_EQ(read("#!gemel-linked tools\n")->linked, "tools");
    EXPECT_EQ(read("#!gemel-linked tools").error(), Error::syntax);
    EXPECT_EQ(read("#!gemel-linked \n").error(), Error::syntax);
    EXPECT_EQ(read("").error(), Error::syntax);
}

} // namespace

} // namespace gemel::init
