// Boot code's readers on made-up device trees: what firmware may say, right and wrong.
#include "arch/arm64/boot/claim.hpp"
#include "arch/arm64/boot/platform.hpp"
#include "arch/arm64/include/gemel/arch/page_entry.hpp"

#include <gtest/gtest.h>

#include <libfdt.h>

#include <initializer_list>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gemel::arch {

namespace {

constexpr u64 tree_physical = 0x4800'0000;

// Writes a tree in order: begin, properties, nodes, end.
class TreeWriter {
public:
    TreeWriter()
        : bytes_(16384)
    {
        fdt_create(bytes_.data(), static_cast<int>(bytes_.size()));
        fdt_finish_reservemap(bytes_.data());
    }

    TreeWriter& begin(char const* name)
    {
        fdt_begin_node(bytes_.data(), name);
        return *this;
    }
    TreeWriter& end()
    {
        fdt_end_node(bytes_.data());
        return *this;
    }
    TreeWriter& text(char const* name, char const* value)
    {
        fdt_property_string(bytes_.data(), name, value);
        return *this;
    }
    TreeWriter& words(char const* name, std::initializer_list<u32> values)
    {
        std::vector<fdt32_t> stored;
        for (auto const value : values)
            stored.push_back(cpu_to_fdt32(value));
        fdt_property(bytes_.data(), name, stored.data(), static_cast<int>(stored.size() * 4));
        return *this;
    }
    TreeWriter& cells(u32 address, u32 size)
    {
        return words("#address-cells", { address }).words("#size-cells", { size });
    }
    std::vector<u8> finish()
    {
        fdt_finish(bytes_.data());
        return std::move(bytes_);
    }

private:
    std::vector<u8> bytes_;
};

void add_memory(TreeWriter& tree)
{
    tree.begin("memory@40000000")
        .text("device_type", "memory")
        .words("reg", { 0, 0x4000'0000, 0, 0x400'0000 })
        .end();
}

void add_gic_v3(TreeWriter& tree)
{
    tree.begin("gic@8000000")
        .text("compatible", "arm,gic-v3")
        .words("reg", { 0, 0x800'0000, 0, 0x1'0000, 0, 0x80A'0000, 0, 0xF6'0000 })
        .end();
}

void add_uart(TreeWriter& tree, char const* name, u32 address)
{
    tree.begin(name).text("compatible", "arm,pl011").words("reg", { 0, address, 0, 0x1000 }).end();
}

bool read(std::vector<u8> const& tree, Platform& platform)
{
    return read_device_tree(tree.data(), tree_physical, platform);
}

bool covers(RangeList const& list, u64 address)
{
    bool found = false;
    for (u32 i = 0; i < list.count; ++i)
        found |= address >= list.items[i].begin && address < list.items[i].end;
    return found;
}

} // namespace

// Goal: all that the kernel needs of a machine like QEMU's is found.
TEST(Arm64DeviceTree, AVirtualMachineIsRead)
{
    TreeWriter tree;
    tree.begin("").cells(2, 2);
    add_memory(tree);
    add_gic_v3(tree);
    add_uart(tree, "uart@1000", 0x1000);
    add_uart(tree, "uart@9000000", 0x900'0000);
    tree.begin("psci").text("compatible", "arm,psci-0.2").text("method", "smc").end();
    tree.begin("chosen")
        .text("stdout-path", "/uart@9000000:115200n8")
        .text("bootargs", "a=b c=d")
        .words("linux,initrd-start", { 0x4200'0000 })
        .words("linux,initrd-end", { 0, 0x4210'0000 })
        .words("kaslr-seed", { 1, 2 })
        .end();
    tree.end();
    auto const blob = tree.finish();
    Platform platform;
    ASSERT_TRUE(read(blob, platform));
    ASSERT_EQ(platform.memory.count, 1u);
    EXPECT_EQ(platform.memory.items[0].begin, 0x4000'0000u);
    EXPECT_EQ(platform.memory.items[0].end, 0x4400'0000u);
    EXPECT_EQ(platform.gic.version, 3u);
    EXPECT_EQ(platform.gic.distributor, 0x800'0000u);
    EXPECT_EQ(platform.gic.second, 0x80A'0000u);
    EXPECT_EQ(platform.gic.second_bytes, 0xF6'0000u);
    EXPECT_EQ(platform.uart, 0x900'0000u) << "not the first one, but the one that is named";
    EXPECT_EQ(platform.conduit, Conduit::smc);
    EXPECT_STREQ(platform.command_line, "a=b c=d");
    EXPECT_EQ(platform.bundle.begin, 0x4200'0000u) << "one word";
    EXPECT_EQ(platform.bundle.end, 0x4210'0000u) << "two words";
    EXPECT_EQ(platform.seed, u64 { 1 } << 32 | 2);
    EXPECT_EQ(platform.device_tree.begin, tree_physical);
}

// Goal: a device behind a bus is found where the bus stands in the machine.
TEST(Arm64DeviceTree, AddressesAreTranslatedThroughBuses)
{
    TreeWriter tree;
    tree.begin("").cells(2, 2);
    add_memory(tree);
    tree.begin("soc").cells(1, 1).words("ranges", { 0x7E00'0000, 0, 0xFE00'0000, 0x180'0000 });
    tree.begin("serial@7e201000")
        .text("compatible", "arm,pl011")
        .words("reg", { 0x7E20'1000, 0x200 })
        .end();
    tree.begin("gic@7f000000")
        .text("compatible", "arm,gic-400")
        .words("reg", { 0x7F00'1000, 0x1000, 0x7F00'2000, 0x2000 })
        .end();
    tree.end().end();
    auto const blob = tree.finish();
    Platform platform;
    ASSERT_TRUE(read(blob, platform));
    EXPECT_EQ(platform.uart, 0xFE20'1000u);
    EXPECT_EQ(platform.gic.version, 2u);
    EXPECT_EQ(platform.gic.distributor, 0xFF00'1000u);
    EXPECT_EQ(platform.gic.second, 0xFF00'2000u);
}

// Goal: a tree that lacks what the kernel cannot do without is refused.
TEST(Arm64DeviceTree, WhatIsMissingIsRefused)
{
    for (int missing = 0; missing < 3; ++missing) {
        TreeWriter tree;
        tree.begin("").cells(2, 2);
        if (missing != 0)
            add_memory(tree);
        if (missing != 1)
            add_gic_v3(tree);
        if (missing != 2)
            add_uart(tree, "uart@9000000", 0x900'0000);
        tree.end();
        Platform platform;
        EXPECT_FALSE(read(tree.finish(), platform)) << missing;
    }
    Platform platform;
    EXPECT_FALSE(read(std::vector<u8>(64), platform));
}

// Goal: a malformed tree is absent things, never a wrong address or a read outside it.
// Method: `reg` too short, of no cells, without an end; every byte of a good tree changed once.
TEST(Arm64DeviceTree, MalformedPropertiesCountAsAbsent)
{
    TreeWriter tree;
    tree.begin("").cells(2, 2);
    add_memory(tree);
    add_gic_v3(tree);
    tree.begin("uart@9000000")
        .text("compatible", "arm,pl011")
        .words("reg", { 0, 0x900'0000, 0 })
        .end();
    tree.end();
    auto const good = tree.finish();
    Platform platform;
    EXPECT_FALSE(read(good, platform));
    auto const bytes = fdt_totalsize(good.data());
    for (u32 at = 8; at < bytes; ++at) {
        auto changed = good;
        changed[at] ^= 0xFF;
        Platform ignored;
        (void)read(changed, ignored);
    }
}

// Goal: what is reserved or in use is never handed out, and what is left is whole pages.
TEST(Arm64Ranges, RemovingTakesWholePages)
{
    RangeList list;
    list.add(0x1000, 0x10000);
    list.remove(0x4800, 0x5001);
    EXPECT_EQ(list.count, 2u);
    EXPECT_TRUE(covers(list, 0x3FFF));
    EXPECT_FALSE(covers(list, 0x4000));
    EXPECT_FALSE(covers(list, 0x5FFF));
    EXPECT_TRUE(covers(list, 0x6000));
    list.remove(0, 0x4000);
    EXPECT_EQ(list.count, 1u);
    list.remove(0xF000, 0x20000);
    EXPECT_EQ(list.items[0].end, 0xF000u);
    list.remove(0, ~u64 { 0 } - page_bytes);
    EXPECT_EQ(list.count, 0u);
    list.add(0x1800, 0x3800);
    list.add(0x4100, 0x4F00);
    list.shrink_to_pages();
    ASSERT_EQ(list.count, 1u);
    EXPECT_EQ(list.items[0].begin, 0x2000u);
    EXPECT_EQ(list.items[0].end, 0x3000u);
}

// Goal: a full list loses memory, it never gives out what was taken.
TEST(Arm64Ranges, AFullListDropsWhatItCannotHold)
{
    RangeList list;
    for (u64 i = 0; i < RangeList::max; ++i)
        list.add(i * 0x10000, i * 0x10000 + 0x8000);
    list.remove(0x2000, 0x3000);
    EXPECT_EQ(list.count, RangeList::max);
    EXPECT_TRUE(covers(list, 0x1000));
    EXPECT_FALSE(covers(list, 0x2000));
    EXPECT_FALSE(covers(list, 0x4000));
}

// Goal: a link gives exactly the rights asked for, and never to the kernel.
TEST(Arm64PageEntry, LinksTakeRightsAway)
{
    auto const flag = [](VmFlag value) { return static_cast<u16>(value); };
    auto const read_only = entry::to_leaf(0x1000, flag(VmFlag::read));
    EXPECT_TRUE(read_only & entry::table_read_only);
    EXPECT_TRUE(read_only & entry::table_user_no_execute);
    EXPECT_TRUE(read_only & entry::table_kernel_no_execute);
    EXPECT_FALSE(read_only & entry::table_no_user);
    auto const writable = entry::to_leaf(0x1000, flag(VmFlag::read) | flag(VmFlag::write));
    EXPECT_FALSE(writable & entry::table_read_only);
    auto const code = entry::to_leaf(0x1000, flag(VmFlag::read) | flag(VmFlag::execute));
    EXPECT_FALSE(code & entry::table_user_no_execute);
    EXPECT_TRUE(code & entry::table_read_only);
}

TEST(Arm64PageEntry, NarrowingOnlyTakesAway)
{
    auto const page = entry::to_page(0x1234'5000, PageKind::memory);
    auto const narrowed = entry::narrowed(page, static_cast<u16>(VmFlag::read));
    EXPECT_EQ(narrowed & entry::address_mask, 0x1234'5000u);
    EXPECT_TRUE(narrowed & entry::read_only);
    EXPECT_TRUE(narrowed & entry::user_no_execute);
    auto const all = static_cast<u16>(VmFlag::read) | static_cast<u16>(VmFlag::write)
        | static_cast<u16>(VmFlag::execute);
    EXPECT_EQ(entry::narrowed(narrowed, static_cast<u16>(all)), narrowed) << "nothing comes back";
    EXPECT_TRUE(entry::to_page(0, PageKind::device) & entry::user_no_execute);
    EXPECT_FALSE(entry::to_page(0, PageKind::device) & entry::normal_memory);
}

// Goal: a processor that starts too late never enters a kernel that does not count with it.
// Method: it and the one that waits decide in both orders; exactly one of them is right.
TEST(Arm64StartClaim, OneOfTheTwoIsTooLate)
{
    StartClaim claim;
    claim.begin(3);
    EXPECT_FALSE(claim.is_answered());
    EXPECT_TRUE(claim.answer(3));
    EXPECT_TRUE(claim.is_answered());
    EXPECT_FALSE(claim.give_up(3)) << "it is in, and must be counted";
    EXPECT_FALSE(claim.is_given_up());

    claim.begin(4);
    EXPECT_TRUE(claim.give_up(4));
    EXPECT_TRUE(claim.is_given_up());
    EXPECT_FALSE(claim.answer(4)) << "nobody counts with it";
    EXPECT_FALSE(claim.is_answered());
    EXPECT_TRUE(claim.is_given_up());
}

// Method: the word is claimed by two threads at once, many times.
TEST(Arm64StartClaim, BothSeeTheSame)
{
    for (u32 round = 0; round < 200; ++round) {
        StartClaim claim;
        claim.begin(1);
        bool in = false;
        std::thread other([&] { in = claim.answer(1); });
        auto const given_up = claim.give_up(1);
        other.join();
        EXPECT_NE(in, given_up);
    }
}

} // namespace gemel::arch
