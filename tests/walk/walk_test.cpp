// How many messages a read takes, and which.
#include "servers/protocols/file.hpp"
#include "servers/protocols/vfs.hpp"
#include "servers/rt/test/program_thread.hpp"
#include "sim/devices/map.hpp"
#include "sim/devices/virtio_block.hpp"
#include "tests/ext4/host.hpp"

#include <gemel/hosted/system.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace gemel::devices {
Result<void> server_main(Env& env);
}
namespace gemel::block {
Result<void> server_main(Env& env);
}
namespace gemel::ext4 {
Result<void> server_main(Env& env);
}
namespace gemel::vfs {
Result<void> server_main(Env& env);
}

namespace gemel {
namespace {

using test::ProgramThread;

// The servers between a program and the disk, started in the order of services.toml.
struct Servers {
    explicit Servers(Env& env)
    {
        for (auto const name : { "broker-phys", "broker-irq", "broker-pio" })
            devices.give(name, std::move(*env.take_handle(name)));
        devices.start();
        block.give("devices", devices.client());
        block.start();
        ext4.give("block", block.client());
        ext4.start();
        vfs.start();
    }
    ProgramThread devices { gemel::devices::server_main };
    ProgramThread block { gemel::block::server_main };
    ProgramThread ext4 { gemel::ext4::server_main };
    ProgramThread vfs { gemel::vfs::server_main };
};

// A program: its session with the vfs, and one region for paths and bytes.
class Program {
public:
    explicit Program(Servers const& servers)
        : region_(std::move(*SharedRegion::create(64 * 1024)))
        , vfs_(servers.vfs.client())
    {
        EXPECT_TRUE(vfs_.call(Vfs::Attach { std::move(*region_.handle_for_peer()) }));
        EXPECT_TRUE(vfs_.call(Vfs::Mount { path("/"), "ext4", 1, servers.ext4.client() }));
    }
    Client<File> open(std::string_view name)
    {
        auto opened = vfs_.call(Vfs::Open { path(name), static_cast<OpenFlags>(OpenFlag::read), 0,
            std::move(*region_.handle_for_peer()) });
        EXPECT_TRUE(opened);
        return Client<File>(std::move(opened->file));
    }
    std::string_view bytes(usize count) const
    {
        return { reinterpret_cast<char const*>(region_.span().data()), count };
    }

private:
    Span path(std::string_view name)
    {
        std::memcpy(region_.span().data(), name.data(), name.size());
        return { 0, static_cast<u32>(name.size()) };
    }
    SharedRegion region_;
    Client<Vfs> vfs_;
};

class Walk : public testing::Test {
protected:
    // A file of two bytes, far from everything that is read on the way to it.
    Walk()
    {
        auto const source = folder_.path() / "source";
        std::filesystem::create_directories(source);
        std::vector<u8> const ballast(1u << 20, 'x');
        for (auto const* name : { "a", "b", "y", "z" })
            ext4::test::write_host_file(source / name, ballast);
        ext4::test::write_host_file(source / "hi", std::vector<u8> { 'h', 'i' });
        ext4::test::run("mkfs.ext4 -q -d " + ext4::test::quoted(source) + " "
            + ext4::test::quoted(image_path()) + " 16M");
        image_ = ::open(image_path().c_str(), O_RDONLY | O_CLOEXEC);
    }
    ~Walk() override { ::close(image_); }

    int with_program(std::function<void(Program&)> const& body)
    {
        std::optional<sim::VirtioBlock> disk;
        return test::in_program(
            [&](Env& env) {
                Servers servers { env };
                Program program { servers };
                body(program);
            },
            [&](hosted::System& system) {
                disk.emplace(system.machine(), sim::virtio_line, image_, u64 { 16 } << 20,
                    sim::ImageAccess::read_only);
                system.machine().attach(sim::virtio_port, sim::virtio_ports, *disk);
            });
    }

private:
    std::filesystem::path image_path() const { return folder_.path() / "image"; }
    ext4::test::TemporaryFolder folder_;
    int image_ = -1;
};

std::vector<std::string> messages_of(std::function<void()> const& body)
{
    TraceBuffer buffer;
    (void)set_trace_sink(&buffer);
    body();
    (void)set_trace_sink(nullptr);
    return buffer.take();
}

} // namespace

// Goal: reading a file stays as short a walk as docs/life-of-a-read.md says.
// Method: trace every message of one cold read, then of a warm one; the deepest answers first.
TEST_F(Walk, AColdReadIsTwoMessagesAWarmOneIsOne)
{
    EXPECT_EQ(with_program([](Program& program) {
        auto const file = program.open("/hi");
        auto const read = [&] {
            auto const reply = file.call(File::Read { 0, { 0, 4096 } });
            EXPECT_EQ(reply->bytes, 2u);
            EXPECT_EQ(program.bytes(2), "hi");
        };
        auto const cold = messages_of(read);
        auto const warm = messages_of(read);
        std::string const answer = "file.read(offset=0, span=0+4096) -> ok(bytes=2)";
        EXPECT_EQ(cold.size(), 2u);
        EXPECT_TRUE(cold[0].starts_with("block.read(lba=") && cold[0].ends_with(") -> ok"));
        EXPECT_EQ(cold[1], answer);
        EXPECT_EQ(warm.size(), 1u);
        EXPECT_EQ(warm[0], answer);
    }),
        0);
}

// Goal: the vfs is asked for a name once, and passes the file system's own capability on.
TEST_F(Walk, AnOpenIsTwoMessages)
{
    EXPECT_EQ(with_program([](Program& program) {
        (void)program.open("/hi"); // directory blocks are cached now
        auto const messages = messages_of([&] { (void)program.open("/hi"); });
        EXPECT_EQ(messages.size(), 2u);
        EXPECT_TRUE(messages[0].starts_with("directory.open("));
        EXPECT_TRUE(messages[1].starts_with("vfs.open("));
    }),
        0);
}

} // namespace gemel
