// Boot code's readers on made-up memory: what a loader or firmware may say, right and wrong.
#include "arch/x86_64/boot/acpi.hpp"
#include "arch/x86_64/boot/loader.hpp"
#include "arch/x86_64/boot/memory_map.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::arch::boot {

namespace {

constexpr u64 memory_bytes = 1 << 20;

// A first mebibyte of physical memory that a test writes into.
class FakeMemory {
public:
    Physical view() const { return { bytes_.data(), bytes_.size() }; }

    template <typename T>
    FakeMemory& put(u64 address, T value)
    {
        std::memcpy(&bytes_.at(address), &value, sizeof value);
        return *this;
    }
    FakeMemory& text(u64 address, std::string_view value)
    {
        std::memcpy(&bytes_.at(address), value.data(), value.size());
        return *this;
    }
    // Makes `count` bytes from `address` sum to zero by the byte at `sum`.
    void seal(u64 address, u64 count, u64 sum)
    {
        bytes_[sum] = 0;
        u8 total = 0;
        for (u64 at = address; at < address + count; ++at)
            total = static_cast<u8>(total + bytes_[at]);
        bytes_[sum] = static_cast<u8>(-total);
    }
    void table(u64 address, std::string_view signature, u32 bytes)
    {
        text(address, signature).put<u32>(address + 4, bytes);
        seal(address, bytes, address + 9);
    }

private:
    std::vector<u8> bytes_ = std::vector<u8>(memory_bytes);
};

std::vector<MemoryRange> ranges_of(MemoryMap const& map)
{
    std::vector<MemoryRange> found;
    for (auto const& range : map.ranges())
        if (range.begin < range.end)
            found.push_back(range);
    return found;
}

// Goal: what is in use never counts as free.
// Method: take a hole out of the middle, both ends and all of a range.
TEST(MemoryMap, LosesExactlyWhatIsRemoved)
{
    MemoryMap map;
    map.add(0x1000, 0x9000);
    map.remove(0x3001, 0x3002); // a byte of a page is the page
    map.remove(0, 0x2000);
    map.remove(0x8000, 0x20000);
    auto const left = ranges_of(map);
    ASSERT_EQ(left.size(), 2u);
    EXPECT_EQ(left[0].begin, 0x2000u);
    EXPECT_EQ(left[0].end, 0x3000u);
    EXPECT_EQ(left[1].begin, 0x4000u);
    EXPECT_EQ(left[1].end, 0x8000u);
    map.remove(0, 0x100000);
    EXPECT_TRUE(ranges_of(map).empty());
}

TEST(MemoryMap, GivesPagesBelowTheLimitUntilThereAreNone)
{
    MemoryMap map;
    map.add(0x1000, 0x3000);
    map.add(0x10000, 0x12000);
    EXPECT_EQ(map.take_page(0x8000), 0x2000u);
    EXPECT_EQ(map.take_page(0x8000), 0x1000u);
    EXPECT_EQ(map.take_page(0x8000), 0u);
    EXPECT_EQ(map.take_page(0x20000), 0x11000u);
}

TEST(MemoryMap, KeepsToItsBound)
{
    MemoryMap map;
    for (u64 index = 0; index < 2 * memory_ranges_max; ++index)
        map.add(index * 0x10000, index * 0x10000 + 0x1000);
    EXPECT_EQ(map.ranges().size(), memory_ranges_max);
}

void add_tag(FakeMemory& memory, u64& at, u32 type, std::vector<u32> const& words)
{
    memory.put<u32>(at, type).put<u32>(at + 4, static_cast<u32>(8 + 4 * words.size()));
    for (u64 index = 0; index < words.size(); ++index)
        memory.put<u32>(at + 8 + 4 * index, words[index]);
    at += align_up<u64>(8 + 4 * words.size(), 8);
}

// Goal: everything that GRUB says reaches the kernel.
TEST(Multiboot2, TagsAreRead)
{
    FakeMemory memory;
    u64 at = 0x1008;
    add_tag(memory, at, 3, { 0x50000, 0x50123, 0 });
    add_tag(
        memory, at, 6, { 24, 0, 0x100000, 0, 0x700000, 0, 1, 0, 0xF0000000, 0, 0x1000, 0, 2, 0 });
    auto const command_line = at;
    add_tag(memory, at, 1, { 0, 0 });
    memory.text(command_line + 8, "a=b c");
    auto const acpi = at;
    add_tag(memory, at, 15, { 0, 0, 0, 0, 0, 0, 0, 0, 0 });
    add_tag(memory, at, 0, {});
    memory.put<u32>(0x1000, static_cast<u32>(at - 0x1000));
    Loaded loaded;
    ASSERT_TRUE(read_multiboot2(memory.view(), 0x1000, loaded));
    EXPECT_EQ(loaded.bundle, 0x50000u);
    EXPECT_EQ(loaded.bundle_bytes, 0x123u);
    EXPECT_STREQ(loaded.command_line, "a=b c");
    EXPECT_EQ(loaded.acpi_rsdp, acpi + 8);
    auto const ram = ranges_of(loaded.memory);
    ASSERT_EQ(ram.size(), 1u);
    EXPECT_EQ(ram[0].begin, 0x100000u);
    EXPECT_EQ(ram[0].end, 0x800000u);
}

// Goal: a list that does not end, or a tag that reaches past it, is refused, not followed.
TEST(Multiboot2, BrokenListsAreRefused)
{
    for (u32 const tag_bytes : { 0u, 7u, 0xFFFF'FFFFu, 0x1000u }) {
        FakeMemory memory;
        memory.put<u32>(0x1000, 0x40).put<u32>(0x1008, 4).put<u32>(0x100C, tag_bytes);
        Loaded loaded;
        EXPECT_FALSE(read_multiboot2(memory.view(), 0x1000, loaded)) << tag_bytes;
    }
    Loaded loaded;
    EXPECT_FALSE(read_multiboot2(FakeMemory {}.view(), memory_bytes, loaded));
}

FakeMemory pvh()
{
    FakeMemory memory;
    memory.put<u32>(0x1000, 0x336E'C578).put<u32>(0x1004, 1).put<u32>(0x100C, 1);
    memory.put<u64>(0x1010, 0x2000).put<u64>(0x1018, 0x3000).put<u64>(0x1020, 0xE0000);
    memory.put<u64>(0x1028, 0x4000).put<u32>(0x1030, 1);
    memory.put<u64>(0x2000, 0x60000).put<u64>(0x2008, 0x456);
    memory.text(0x3000, "x=y");
    memory.put<u64>(0x4000, 0x100000).put<u64>(0x4008, 0x100000).put<u32>(0x4010, 1);
    return memory;
}

TEST(Pvh, StartInformationIsRead)
{
    Loaded loaded;
    ASSERT_TRUE(read_pvh(pvh().view(), 0x1000, loaded));
    EXPECT_EQ(loaded.bundle, 0x60000u);
    EXPECT_EQ(loaded.bundle_bytes, 0x456u);
    EXPECT_STREQ(loaded.command_line, "x=y");
    EXPECT_EQ(loaded.acpi_rsdp, 0xE0000u);
    EXPECT_EQ(ranges_of(loaded.memory).size(), 1u);
}

TEST(Pvh, OtherInformationIsRefused)
{
    auto memory = pvh();
    Loaded loaded;
    EXPECT_FALSE(read_pvh(memory.view(), 0x1004, loaded));
    memory.put<u32>(0x1004, 0);
    EXPECT_FALSE(read_pvh(memory.view(), 0x1000, loaded)) << "version 0 has no memory map";
    EXPECT_FALSE(read_pvh(memory.view(), ~0ull, loaded));
}

TEST(Loader, ALongCommandLineIsCut)
{
    auto memory = pvh();
    memory.text(0x3000, std::string(2 * command_line_bytes_max, 'a'));
    memory.put<u64>(0x1028, 0x8000);
    memory.put<u32>(0x1030, 0);
    Loaded loaded;
    ASSERT_TRUE(read_pvh(memory.view(), 0x1000, loaded));
    EXPECT_EQ(std::strlen(loaded.command_line), command_line_bytes_max - 1);
}

constexpr u64 rsdp_address = 0xF0000;

// An RSDT with a MADT (one I/O APIC, ISA line 9 moved to 20, level, low) and a FADT whose DSDT has
// \_S5.
FakeMemory firmware()
{
    FakeMemory memory;
    memory.text(rsdp_address, "RSD PTR ").put<u32>(rsdp_address + 16, 0x1000);
    memory.seal(rsdp_address, 20, rsdp_address + 8);
    memory.put<u32>(0x1024, 0x2000).put<u32>(0x1028, 0x3000);
    memory.table(0x1000, "RSDT", 44);
    memory.put<u8>(0x202C, 1).put<u8>(0x202D, 12).put<u32>(0x2030, 0xFEC1'0000).put<u32>(0x2034, 0);
    memory.put<u8>(0x2038, 2).put<u8>(0x2039, 10).put<u8>(0x203B, 9).put<u32>(0x203C, 20);
    memory.put<u16>(0x2040, 0xF);
    memory.table(0x2000, "APIC", 66);
    memory.put<u32>(0x3028, 0x4000).put<u32>(0x3040, 0x604).put<u32>(0x304C, 0x608);
    memory.put<u32>(0x3030, 0xB2).put<u8>(0x3034, 0xF1);
    memory.table(0x3000, "FACP", 116);
    memory.text(0x4030, std::string_view("_S5_\x12\x06\x04\x0A\x05\x00", 10));
    memory.table(0x4000, "DSDT", 0x60);
    return memory;
}

TEST(Acpi, ControllersTimerAndPowerAreFound)
{
    auto const memory = firmware();
    u64 rsdp = 0;
    auto const facts = read_acpi(memory.view(), rsdp);
    EXPECT_EQ(rsdp, rsdp_address) << "found by searching";
    ASSERT_EQ(facts.io_apic_count, 1u);
    EXPECT_EQ(facts.io_apics[0].address, 0xFEC1'0000u);
    EXPECT_EQ(facts.isa[9].line, 20u);
    EXPECT_TRUE(facts.isa[9].low);
    EXPECT_TRUE(facts.isa[9].level);
    EXPECT_EQ(facts.isa[4].line, 4u);
    EXPECT_FALSE(facts.isa[4].level);
    EXPECT_EQ(facts.power_control, 0x604);
    EXPECT_EQ(facts.power_off_value, 5 << 10 | 1 << 13);
    EXPECT_EQ(facts.timer, 0x608);
    EXPECT_EQ(facts.switch_on_port, 0xB2);
    EXPECT_EQ(facts.switch_on_value, 0xF1);
}

// Goal: one wrong byte anywhere in the tables never makes boot code read what is not there.
// Method: flip every byte of every table in turn; the reader's own bounds and ASan are the judges.
TEST(Acpi, AnyWrongByteLeavesClassicValuesOrTheSame)
{
    auto const good = firmware();
    for (u64 at :
        { u64 { 0x1000 }, u64 { 0x2000 }, u64 { 0x3000 }, u64 { 0x4000 }, rsdp_address }) {
        for (u64 offset = 0; offset < 0x80; ++offset) {
            auto memory = good;
            auto const old = *memory.view().at<u8>(at + offset);
            memory.put<u8>(at + offset, static_cast<u8>(~old));
            u64 rsdp = rsdp_address;
            auto const facts = read_acpi(memory.view(), rsdp);
            EXPECT_GE(facts.io_apic_count, 1u);
            EXPECT_LE(facts.io_apic_count, acpi_io_apics_max);
        }
    }
}

TEST(Acpi, NothingAtAllIsAClassicPc)
{
    u64 rsdp = 0;
    auto const facts = read_acpi(FakeMemory {}.view(), rsdp);
    EXPECT_EQ(rsdp, 0u);
    ASSERT_EQ(facts.io_apic_count, 1u);
    EXPECT_EQ(facts.io_apics[0].address, 0xFEC0'0000u);
    EXPECT_EQ(facts.power_control, 0);
    EXPECT_EQ(facts.timer, 0);
}

} // namespace

} // namespace gemel::arch::boot
