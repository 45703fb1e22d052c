// The models seen through their registers, as a driver sees them.
#include "sim/devices/cmos_clock.hpp"
#include "sim/devices/map.hpp"
#include "sim/devices/uart_16550.hpp"
#include "sim/devices/virtio_block.hpp"

#include <cstdio>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace gemel::sim {
namespace {

constexpr u64 memory_bytes = 8 << 20;

// Goal: bytes pass both ways, and the line is raised while bytes wait.
TEST(Uart16550, PassesBytesAndRaisesItsLine)
{
    arch::Machine machine { memory_bytes };
    std::string sent;
    Uart16550 uart { machine, uart_line, [&](char byte) { sent += byte; } };
    machine.interrupt_unmask(uart_line);
    uart.write(1, 1, 1);
    EXPECT_FALSE(machine.interrupt_pending());
    uart.type("ab");
    EXPECT_EQ(machine.take_interrupt(), uart_line);
    EXPECT_EQ(uart.read(2, 1) & 0x0F, 4u);
    EXPECT_EQ(uart.read(0, 1), 'a');
    machine.interrupt_unmask(uart_line);
    EXPECT_TRUE(machine.interrupt_pending()); // one is left
    EXPECT_EQ(uart.read(0, 1), 'b');
    EXPECT_EQ(uart.read(5, 1), 0x60u);
    uart.write(0, 1, 'x');
    EXPECT_EQ(sent, "x");
}

// A driver in miniature: one chain of header, data and status at the memory's start.
class Driver {
public:
    Driver(arch::Machine& machine, VirtioBlock& device)
        : machine_(machine)
        , device_(device)
    {
        device.write(0x070, 4, 3);
        device.write(0x024, 4, 1);
        device.write(0x020, 4, 1);
        device.write(0x038, 4, entries);
        device.write(0x080, 4, descriptors);
        device.write(0x090, 4, available);
        device.write(0x0A0, 4, used);
        device.write(0x044, 4, 1);
        device.write(0x070, 4, 15);
    }

    // The status byte.
    u8 request(u32 type, u64 sector, u32 bytes, u16 data_flags)
    {
        put(header, type);
        put(header + 8, sector);
        put(status, u8 { 0xEE });
        describe(0, header, 16, 1, 1);
        describe(1, data, bytes, static_cast<u16>(data_flags | 1), 2);
        describe(2, status, 1, 2, 0);
        put(available + 4 + 2 * (count_ % entries), u16 { 0 });
        put(available + 2, ++count_);
        device_.write(0x050, 4, 0);
        return get<u8>(status);
    }
    u16 completed() { return get<u16>(used + 2); }
    u8* bytes() { return static_cast<u8*>(machine_.at_physical(data)); }

private:
    static constexpr u32 entries = 4;
    static constexpr u32 descriptors = 0x10000;
    static constexpr u32 available = 0x11000;
    static constexpr u32 used = 0x12000;
    static constexpr u32 header = 0x13000;
    static constexpr u32 status = 0x13100;
    static constexpr u32 data = 0x14000;

    template <typename T>
    void put(u64 at, T value)
    {
        std::memcpy(machine_.at_physical(at), &value, sizeof value);
    }
    template <typename T>
    T get(u64 at)
    {
        T value;
        std::memcpy(&value, machine_.at_physical(at), sizeof value);
        return value;
    }
    void describe(u32 index, u64 address, u32 bytes, u16 flags, u16 next)
    {
        auto const at = descriptors + 16 * index;
        put(at, address);
        put(at + 8, bytes);
        put(at + 12, flags);
        put(at + 14, next);
    }

    arch::Machine& machine_;
    VirtioBlock& device_;
    u16 count_ = 0;
};

class VirtioBlockTest : public testing::Test {
protected:
    VirtioBlockTest()
    {
        std::vector<u8> content(image_bytes);
        for (usize i = 0; i < content.size(); ++i)
            content[i] = static_cast<u8>(i / 512 + i);
        std::fwrite(content.data(), 1, content.size(), file_);
        std::fflush(file_);
    }
    ~VirtioBlockTest() override { std::fclose(file_); }

    static constexpr u64 image_bytes = 64 * 512;
    std::FILE* file_ = std::tmpfile();
    arch::Machine machine_ { memory_bytes };
};

TEST_F(VirtioBlockTest, ReadsWhatTheImageHolds)
{
    VirtioBlock device { machine_, virtio_line, fileno(file_), image_bytes,
        ImageAccess::read_only };
    machine_.interrupt_unmask(virtio_line);
    EXPECT_EQ(device.read(0, 4), 0x74726976u);
    EXPECT_EQ(device.read(0x100, 4), 64u);
    Driver driver { machine_, device };
    EXPECT_EQ(driver.request(0, 3, 1024, 2), 0);
    EXPECT_EQ(driver.completed(), 1);
    EXPECT_EQ(driver.bytes()[0], static_cast<u8>(3 + 3 * 512));
    EXPECT_EQ(driver.bytes()[513], static_cast<u8>(4 + 4 * 512 + 1));
    EXPECT_EQ(machine_.take_interrupt(), virtio_line);
    EXPECT_EQ(device.read(0x060, 4), 1u);
}

// Goal: requests outside the device, and writes to a read-only one, fail without touching the
// image.
TEST_F(VirtioBlockTest, RefusesWhatItMayNot)
{
    VirtioBlock device { machine_, virtio_line, fileno(file_), image_bytes,
        ImageAccess::read_only };
    Driver driver { machine_, device };
    EXPECT_EQ(driver.request(0, 64, 512, 2), 1);
    EXPECT_EQ(driver.request(0, ~u64 { 0 }, 512, 2), 1);
    EXPECT_EQ(driver.request(1, 0, 512, 0), 1);
    EXPECT_EQ(driver.request(77, 0, 512, 2), 2);
    EXPECT_EQ(driver.completed(), 4);
}

TEST_F(VirtioBlockTest, WritesAndFlushes)
{
    VirtioBlock device { machine_, virtio_line, fileno(file_), image_bytes,
        ImageAccess::read_write };
    Driver driver { machine_, device };
    std::memset(driver.bytes(), 0x5A, 512);
    EXPECT_EQ(driver.request(1, 7, 512, 0), 0);
    EXPECT_EQ(driver.request(4, 0, 0, 0), 0);
    std::memset(driver.bytes(), 0, 512);
    EXPECT_EQ(driver.request(0, 7, 512, 2), 0);
    EXPECT_EQ(driver.bytes()[511], 0x5A);
}

// Goal: a driver that gives an address outside memory, or a chain that loops, stops the device, not
// the host.
TEST_F(VirtioBlockTest, SurvivesABadQueue)
{
    VirtioBlock device { machine_, virtio_line, fileno(file_), image_bytes,
        ImageAccess::read_only };
    Driver driver { machine_, device };
    device.write(0x084, 4, 0x7FFF'FFFF);
    EXPECT_EQ(driver.request(0, 0, 512, 2), 0xEE);
    EXPECT_EQ(device.read(0x070, 4) & 64, 64u);
    EXPECT_EQ(driver.completed(), 0);
}

} // namespace
// Goal: the clock's digits are those of the date, at the ends of years, days and February.
TEST(CmosClock, Digits)
{
    i64 seconds = 0;
    CmosClock clock { [&] { return seconds; } };
    auto const reads = [&](u32 index) {
        clock.write(0, 1, index);
        return clock.read(1, 1);
    };
    auto const date = [&] {
        return std::vector<u32> { reads(0x32), reads(9), reads(8), reads(7), reads(4), reads(2),
            reads(0) };
    };
    EXPECT_EQ(date(), (std::vector<u32> { 0x19, 0x70, 1, 1, 0, 0, 0 }));
    seconds = 1'700'000'000;
    EXPECT_EQ(date(), (std::vector<u32> { 0x20, 0x23, 0x11, 0x14, 0x22, 0x13, 0x20 }));
    seconds = 951'782'399 + 86'400; // the last second of 29 February 2000
    EXPECT_EQ(date(), (std::vector<u32> { 0x20, 0x00, 2, 0x29, 0x23, 0x59, 0x59 }));
    seconds = 4'102'444'799;
    EXPECT_EQ(date(), (std::vector<u32> { 0x20, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59 }));
}

} // namespace gemel::sim
