// The whole way of a block: client, driver, device manager, broker, register file, device model,
// image.
#include "servers/block/queue.hpp"
#include "servers/block/service.hpp"
#include "servers/rt/test/program_thread.hpp"
#include "sim/devices/map.hpp"
#include "sim/devices/virtio_block.hpp"

#include <gemel/hosted/system.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace gemel::devices {
Result<void> server_main(Env& env);
}

namespace gemel::block {

Result<void> server_main(Env& env);

namespace {

constexpr u64 image_bytes = 4u << 20;

u8 content_at(u64 offset)
{
    return static_cast<u8>(offset / 512 * 7 + offset);
}

class BlockTest : public testing::Test {
protected:
    BlockTest()
    {
        std::vector<u8> bytes(image_bytes);
        for (u64 i = 0; i < bytes.size(); ++i)
            bytes[i] = content_at(i);
        std::fwrite(bytes.data(), 1, bytes.size(), file_);
        std::fflush(file_);
    }
    ~BlockTest() override { std::fclose(file_); }

    // Runs `body` beside a device manager and a driver of the image.
    int with_disk(std::function<void(Client<Block> const&)> const& body,
        sim::ImageAccess access = sim::ImageAccess::read_write)
    {
        return test::in_program(
            [&](Env& env) {
                test::ProgramThread devices { gemel::devices::server_main };
                for (auto const name : { "broker-phys", "broker-irq", "broker-pio" })
                    devices.give(name, std::move(*env.take_handle(name)));
                devices.start();
                test::ProgramThread block { server_main };
                block.give("devices", devices.client());
                block.start();
                body(Client<Block> { block.client() });
            },
            [&](hosted::System& system) {
                device_.emplace(
                    system.machine(), sim::virtio_line, fileno(file_), image_bytes, access);
                system.machine().attach(sim::virtio_port, sim::virtio_ports, *device_);
            });
    }

    std::FILE* file_ = std::tmpfile();
    std::optional<sim::VirtioBlock> device_;
};

struct Session {
    SharedRegion region;
    Client<Block> block;
};

Session attach(
    Client<Block> const& root, usize bytes, RegionAccess access = RegionAccess::read_write)
{
    auto region = std::move(*SharedRegion::create(bytes));
    auto reply = root.call(Block::Attach { std::move(*region.handle_for_peer(access)) });
    return { std::move(region), Client<Block>(std::move(reply->block)) };
}

bool holds(SharedRegion const& region, u32 offset, u64 lba, u32 count)
{
    for (u64 i = 0; i < u64 { count } * 512; ++i)
        if (static_cast<u8>(region.span()[offset + i]) != content_at(lba * 512 + i))
            return false;
    return true;
}

} // namespace

// Goal: what is read is what the image holds, whatever the place in the region.
TEST_F(BlockTest, ReadsTheImage)
{
    EXPECT_EQ(with_disk([](Client<Block> const& root) {
        auto const info = root.call(Block::Info {});
        EXPECT_EQ(info->sectors, image_bytes / 512);
        EXPECT_EQ(info->access, protocol::BlockAccess::read_write);
        EXPECT_GE(info->sectors_max, 512u);
        auto const session = attach(root, 512 * 1024);
        struct {
            u64 lba;
            u32 count, offset;
        } const reads[] { { 0, 1, 0 }, { 8, 8, 4096 }, { 100, 3, 512 * 7 }, { 8191, 1, 511 * 1024 },
            { 77, info->sectors_max, 512 } };
        for (auto const& [lba, count, offset] : reads) {
            EXPECT_TRUE(session.block.call(Block::Read { lba, count, offset })) << lba;
            EXPECT_TRUE(holds(session.region, offset, lba, count)) << lba;
        }
    }),
        0);
}

// Goal: what is discarded goes from the image, what is beside it stays; the host gets its room
// back.
TEST_F(BlockTest, DiscardsWhatNobodyNeeds)
{
    struct stat before { };
    ASSERT_EQ(fstat(fileno(file_), &before), 0);
    EXPECT_EQ(with_disk([](Client<Block> const& root) {
        auto const refused = [&](u64 lba, u64 count) {
            return root.call(Block::Discard { lba, count }).error();
        };
        EXPECT_EQ(refused(0, 0), Error::invalid);
        EXPECT_EQ(refused(image_bytes / 512, 1), Error::invalid);
        EXPECT_EQ(refused(1, ~0ull), Error::invalid);
        auto const reply = root.call(Block::Discard { 2048, 4096 });
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->count, 4096u);
        auto const session = attach(root, 4096);
        EXPECT_TRUE(session.block.call(Block::Read { 2047, 1, 0 }));
        EXPECT_TRUE(holds(session.region, 0, 2047, 1));
        EXPECT_TRUE(session.block.call(Block::Read { 2048 + 4096, 1, 0 }));
        EXPECT_TRUE(holds(session.region, 0, 2048 + 4096, 1));
        EXPECT_TRUE(session.block.call(Block::Read { 2048, 1, 0 }));
        EXPECT_FALSE(holds(session.region, 0, 2048, 1));
    }),
        0);
    struct stat after { };
    ASSERT_EQ(fstat(fileno(file_), &after), 0);
    EXPECT_EQ(after.st_size, before.st_size);
    EXPECT_EQ(after.st_blocks, before.st_blocks - 4096);
}

// Goal: of a device that cannot be written nothing is discarded.
TEST_F(BlockTest, DiscardsNothingReadOnly)
{
    EXPECT_EQ(with_disk(
                  [](Client<Block> const& root) {
                      EXPECT_EQ(root.call(Block::Discard { 0, 8 }).error(), Error::read_only);
                  },
                  sim::ImageAccess::read_only),
        0);
}

// Goal: each bad request has its error, and the disk serves on.
TEST_F(BlockTest, RefusesWhatItMust)
{
    EXPECT_EQ(with_disk([](Client<Block> const& root) {
        auto const session = attach(root, 64 * 1024);
        auto const refused = [&](u64 lba, u32 count, u32 offset) {
            return session.block.call(Block::Read { lba, count, offset }).error();
        };
        EXPECT_EQ(root.call(Block::Read { 0, 1, 0 }).error(), Error::unavailable);
        EXPECT_EQ(refused(image_bytes / 512, 1, 0), Error::invalid);
        EXPECT_EQ(refused(~0ull, 1, 0), Error::invalid);
        EXPECT_EQ(refused(0, 0, 0), Error::invalid);
        EXPECT_EQ(refused(0, 1, 100), Error::invalid);
        EXPECT_EQ(refused(0, 129, 0), Error::invalid);
        EXPECT_EQ(refused(0, 1, 0xFFFF'FE00), Error::invalid);
        EXPECT_EQ(refused(0, 8000, 0), Error::too_big);
        EXPECT_EQ(root.call(Block::Attach { Handle() }).error(), Error::cap_invalid);
        auto const reader = attach(root, 4096, RegionAccess::read);
        EXPECT_EQ(reader.block.call(Block::Read { 0, 1, 0 }).error(), Error::no_rights);
        EXPECT_TRUE(reader.block.call(Block::Write { 0, 1, 0 }));
        EXPECT_TRUE(session.block.call(Block::Read { 1, 1, 0 }));
    }),
        0);
}

// Goal: what was written and flushed is on the image; a read-only image refuses.
TEST_F(BlockTest, WritesReachTheImage)
{
    EXPECT_EQ(with_disk([](Client<Block> const& root) {
        auto const session = attach(root, 8192);
        std::memset(session.region.span().data(), 0x77, 8192);
        EXPECT_TRUE(session.block.call(Block::Write { 50, 16, 0 }));
        EXPECT_TRUE(session.block.call(Block::Flush {}));
        EXPECT_TRUE(session.block.call(Block::Read { 49, 1, 0 }));
        EXPECT_TRUE(holds(session.region, 0, 49, 1));
    }),
        0);
    std::vector<u8> bytes(8192);
    ASSERT_EQ(pread(fileno(file_), bytes.data(), bytes.size(), 50 * 512), 8192);
    EXPECT_EQ(bytes, std::vector<u8>(8192, 0x77));
    EXPECT_EQ(
        with_disk(
            [](Client<Block> const& root) {
                auto const session = attach(root, 8192);
                EXPECT_EQ(root.call(Block::Info {})->access, protocol::BlockAccess::read_only);
                EXPECT_EQ(session.block.call(Block::Write { 50, 16, 0 }).error(), Error::read_only);
            },
            sim::ImageAccess::read_only),
        0);
}

// Goal: many clients at once each get their own sectors.
TEST_F(BlockTest, ServesManyAtOnce)
{
    EXPECT_EQ(with_disk([](Client<Block> const& root) {
        std::atomic<unsigned> right { 0 };
        std::atomic<unsigned> ended { 0 };
        std::vector<std::function<void()>> clients;
        for (unsigned i = 0; i < 12; ++i)
            clients.emplace_back([&, i] {
                auto const session = attach(root, 16 * 1024);
                for (u64 round = 0; round < 40; ++round) {
                    auto const lba = (i * 613 + round * 97) % 8000;
                    if (session.block.call(Block::Read { lba, 32, 0 })
                        && holds(session.region, 0, lba, 32))
                        ++right;
                    if (round % 5 == 0)
                        system::sched_yield();
                }
                ++ended;
            });
        for (auto& client : clients)
            test::in_thread(client);
        while (ended != clients.size())
            sleep_until(Deadline::after_ms(10));
        EXPECT_EQ(right, 12u * 40);
    }),
        0);
}

// Goal: the walk of a cold read names what was read.
TEST_F(BlockTest, IsTraced)
{
    EXPECT_EQ(with_disk([](Client<Block> const& root) {
        auto const session = attach(root, 4096);
        TraceBuffer buffer;
        (void)set_trace_sink(&buffer);
        (void)session.block.call(Block::Read { 8, 8, 0 });
        (void)set_trace_sink(nullptr);
        auto const lines = buffer.take();
        EXPECT_EQ(lines.size(), 1u);
        EXPECT_EQ(lines[0], "block.read(lba=8, count=8, offset=0) -> ok");
    }),
        0);
}

namespace {

// The device's side of a queue's memory, for tests.
struct FakeDevice {
    alignas(page_bytes) std::array<std::byte, Queue::memory_bytes> memory {};
    u16 used = 0;
    void done(u32 head)
    {
        auto* const at = memory.data() + Queue::used_offset + 4 + used % 8 * 8;
        std::memcpy(at, &head, 4);
        ++used;
        std::memcpy(memory.data() + Queue::used_offset + 2, &used, 2);
    }
};

} // namespace

// Goal: descriptors are neither lost nor used twice, in whatever order the device finishes; what it
// says of chains it does not have changes nothing.
TEST(Queue, SurvivesALyingDevice)
{
    FakeDevice device;
    Queue queue { device.memory, 8 };
    std::array<QueueSegment, 3> const segments {};
    for (unsigned round = 0; round < 20; ++round) {
        auto const first = queue.add(segments);
        auto const second = queue.add(segments);
        ASSERT_TRUE(first && second);
        EXPECT_EQ(queue.free_descriptors(), 2u);
        EXPECT_FALSE(queue.add(segments));
        for (u32 const head : { 99u, ~0u, u32 { *second }, u32 { *second } })
            device.done(head);
        EXPECT_EQ(queue.take()->head, *second);
        EXPECT_FALSE(queue.take());
        device.done(*first);
        EXPECT_EQ(queue.take()->head, *first);
        EXPECT_EQ(queue.free_descriptors(), 8u);
    }
    EXPECT_FALSE(queue.add({}));
}

} // namespace gemel::block
