// The server's objects over a real image on the real kernel: what a vfs and a program see.
#include "servers/ext4/attention.hpp"
#include "servers/ext4/device_cache.hpp"
#include "servers/ext4/root_directory.hpp"
#include "servers/protocols/file.hpp"
#include "servers/rt/test/in_program.hpp"
#include "tests/ext4/host.hpp"
#include "tests/ext4/source_tree.hpp"
#include "tests/ext4/written_volume.hpp"

#include <atomic>
#include <cstring>
#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

using gemel::test::in_program;
using gemel::test::in_thread;
using protocol::Block;

// The block driver's place: an image file behind the Block protocol.
class FileDevice {
public:
    FileDevice(BlockReader& file, BlockDevice* writer, ObjectServer& objects, SharedRegion region)
        : file_(file)
        , writer_(writer)
        , objects_(objects)
        , region_(std::move(region))
    {
    }
    Result<Block::Read::Reply> on(Block::Read const& request)
    {
        auto const bytes
            = TRY(region_.at({ request.offset, request.count * protocol::sector_bytes }));
        TRY(file_.read(request.lba * protocol::sector_bytes,
            { reinterpret_cast<u8*>(bytes.data()), bytes.size() }));
        return Block::Read::Reply {};
    }
    Result<Block::Write::Reply> on(Block::Write const& request)
    {
        if (!writer_)
            return Error::read_only;
        auto const bytes
            = TRY(region_.at({ request.offset, request.count * protocol::sector_bytes }));
        TRY(writer_->write(request.lba * protocol::sector_bytes,
            { reinterpret_cast<u8 const*>(bytes.data()), bytes.size() }));
        return Block::Write::Reply {};
    }
    Result<Block::Flush::Reply> on(Block::Flush const&)
    {
        if (writer_)
            TRY(writer_->flush());
        return Block::Flush::Reply {};
    }
    Result<Block::Discard::Reply> on(Block::Discard const&) { return Error::unsupported; }
    Result<Block::Attach::Reply> on(Block::Attach request)
    {
        auto region = TRY(SharedRegion::map(std::move(request.region)));
        auto session = make_ref<FileDevice>(file_, writer_, objects_, std::move(region));
        return Block::Attach::Reply { TRY(objects_.publish<Block>(std::move(session))) };
    }
    Result<Block::Info::Reply> on(Block::Info const&)
    {
        return Block::Info::Reply { file_.size_bytes() / protocol::sector_bytes, 4096, 1024,
            writer_ ? protocol::BlockAccess::read_write : protocol::BlockAccess::read_only };
    }

private:
    BlockReader& file_;
    BlockDevice* writer_; // null: read-only
    ObjectServer& objects_;
    SharedRegion region_;
};

// An object server with its port and a thread of this task.
struct Server {
    Server()
        : port(*system::port_allocate())
        , objects(port)
        , run([this] {
            (void)objects.run();
            ended = true;
        })
    {
    }
    // What it uses is others' again.
    void end()
    {
        port.close();
        while (!ended)
            system::sched_yield();
    }
    Handle client() const { return std::move(*port.derive(Right::call | Right::derive)); }

    Handle port;
    ObjectServer objects;
    std::function<void()> run;
    std::atomic<bool> ended { false };
};

class SilentErrors final : public ErrorSink {
public:
    void report(std::string_view) override { }
};

// Device, volume and root directory, and a client's session with the directory.
struct System {
    explicit System(BlockReader& file, BlockDevice* writer = nullptr)
        : region(std::move(*SharedRegion::create(region_bytes_max)))
    {
        device_server.objects.set_root<Block>(
            make_ref<FileDevice>(file, writer, device_server.objects, SharedRegion {}));
        in_thread(device_server.run, "device");
        device = std::move(*DeviceCache::create(Client<Block>(device_server.client())));
        MountReport report;
        auto mounted = writer ? Volume::mount_writable(*device, errors, report,
                           { .now_ns = [] { return i64 { 5'000'000'000 }; } })
                              : Volume::mount(*device, errors, report);
        volume.emplace(std::move(*mounted), volume_server.objects, *device);
        attention.emplace(*volume);
        volume_server.objects.on_deadline(
            [this] { return attention->deadline(); }, [this] { attention->give(); });
        volume_server.objects.set_root<Directory>(make_ref<RootDirectory>(*volume));
        in_thread(volume_server.run, "volume");
        root = Client<Directory>(volume_server.client());
        auto attached = root.call(Directory::Attach { *region.handle_for_peer() });
        directory = Client<Directory>(std::move(attached->directory));
    }

    // Each thread ends before what it uses: nobody counts references for two.
    ~System()
    {
        volume_server.end();
        volume.reset();
        device.reset();
        device_server.end();
    }
    System(System const&) = delete;

    // Paths lie at the region's start, answers in its second half.
    Span path(std::string_view text)
    {
        std::memcpy(region.span().data(), text.data(), text.size());
        return { 0, static_cast<u32>(text.size()) };
    }
    static constexpr u32 half = region_bytes_max / 2;
    static constexpr Span answer { half, half };
    std::string answered(usize bytes) const
    {
        return { reinterpret_cast<char const*>(region.span().data()) + half, bytes };
    }

    Result<Directory::Open::Reply> open(std::string_view name, OpenFlags flags)
    {
        return directory.call(
            Directory::Open { path(name), flags, 0, answer, std::move(*region.handle_for_peer()) });
    }
    std::string contents(std::string_view name)
    {
        auto opened = open(name, static_cast<OpenFlags>(OpenFlag::read));
        Client<File> const file(std::move(opened->file));
        std::string text;
        while (true) {
            auto const reply = file.call(File::Read { text.size(), { half, 50'000 } });
            text += answered(reply->bytes);
            if (reply->bytes < 50'000)
                return text;
        }
    }

    Server device_server;
    Server volume_server;
    Own<DeviceCache> device;
    SilentErrors errors;
    std::optional<ServedVolume> volume;
    std::optional<Attention> attention;
    SharedRegion region;
    Client<Directory> root; // as init holds it
    Client<Directory> directory;
};

class ServerTest : public testing::Test {
protected:
    ServerTest()
    {
        auto const source = folder_.path() / "source";
        fs::create_directories(source / "folder/inner");
        std::vector<u8> bytes(300'000);
        for (usize each = 0; each < bytes.size(); ++each)
            bytes[each] = static_cast<u8>(each * each >> 7);
        write_host_file(source / "folder/large", bytes);
        large_ = { bytes.begin(), bytes.end() };
        write_host_file(source / "hi", std::vector<u8> { 'h', 'i' });
        fs::create_symlink("folder/inner", source / "link");
        for (int each = 0; each < 500; ++each)
            write_host_file(source / "folder" / ("name-" + std::to_string(each)), {});
        make_image(folder_.path() / "image", source, "-b 4096", "32M");
        file_.emplace(folder_.path() / "image");
    }
    int with_system(std::function<void(System&)> const& body)
    {
        return in_program([&](Env&) {
            System system(*file_);
            body(system);
        });
    }
    int with_writable_system(std::function<void(System&)> const& body)
    {
        FileBlockDevice device(image());
        return in_program([&](Env&) {
            System system(device, &device);
            body(system);
        });
    }
    fs::path image() const { return folder_.path() / "image"; }
    std::string const& large() const { return large_; }

private:
    TemporaryFolder folder_;
    std::string large_;
    std::optional<FileBlockReader> file_;
};

// Goal: contents, attributes and links come through the protocols as they are on the disk.
TEST_F(ServerTest, ReadsStatsAndLinks)
{
    EXPECT_EQ(with_system([&](System& system) {
        EXPECT_TRUE(system.contents("folder/large") == large());
        EXPECT_EQ(system.contents("hi"), "hi");
        FileStatus status;
        EXPECT_TRUE(system.directory.call(
            Directory::Stat { system.path("folder/large"), LastLink::follow, System::answer }));
        std::memcpy(&status, system.answered(sizeof status).data(), sizeof status);
        EXPECT_EQ(status.size, 300'000u);
        EXPECT_EQ(status.kind, FileKind::regular);
        auto const text
            = system.directory.call(Directory::Readlink { system.path("link"), System::answer });
        EXPECT_EQ(system.answered(text->bytes), "folder/inner");
        VolumeStatus volume;
        EXPECT_TRUE(system.directory.call(Directory::Statfs { System::answer }));
        std::memcpy(&volume, system.answered(sizeof volume).data(), sizeof volume);
        EXPECT_EQ(std::string_view(volume.type), "ext4");
        EXPECT_EQ(volume.read_only, 1u);
        EXPECT_LT(volume.bytes_total, 32u << 20); // tables and bitmaps take some
        EXPECT_LT(volume.bytes_available, volume.bytes_free);
        EXPECT_LT(volume.bytes_free, volume.bytes_total);
    }),
        0);
}

// Goal: a session's memory may be several regions, and its files use any of them.
// Method: read through a file without a region of its own into the second region.
TEST_F(ServerTest, FilesUseTheSessionsMemory)
{
    EXPECT_EQ(with_system([&](System& system) {
        auto const more = std::move(*SharedRegion::create(page_bytes));
        auto const extended = system.directory.call(Directory::Extend { *more.handle_for_peer() });
        ASSERT_TRUE(extended);
        auto opened = system.directory.call(Directory::Open { system.path("hi"),
            OpenFlag::read | OpenFlag::session_memory, 0, System::answer, Handle() });
        Client<File> const file(std::move(opened->file));
        EXPECT_EQ(file.call(File::Read { 0, { extended->offset + 5, 2 } })->bytes, 2u);
        EXPECT_EQ(std::memcmp(more.span().data() + 5, "hi", 2), 0);
        auto without = system.directory.call(Directory::Open { system.path("hi"),
            static_cast<OpenFlags>(OpenFlag::read), 0, System::answer, Handle() });
        Client<File> const bare(std::move(without->file));
        EXPECT_EQ(bare.call(File::Read { 0, { 0, 2 } }).error(), Error::invalid);
    }),
        0);
}

// Goal: a link on the way is reported with its place and text, for every kind of request.
TEST_F(ServerTest, ReportsLinksOnTheWay)
{
    EXPECT_EQ(with_system([&](System& system) {
        auto const opened = system.open("link/x", static_cast<OpenFlags>(OpenFlag::read));
        EXPECT_EQ(opened->link_component, 0u);
        EXPECT_EQ(system.answered(opened->link_bytes), "folder/inner");
        EXPECT_FALSE(opened->file);
        auto const made = system.directory.call(
            Directory::Mkdir { system.path("link/new"), 0755, System::answer });
        EXPECT_EQ(system.answered(made->link_bytes), "folder/inner");
        auto const status = system.directory.call(
            Directory::Stat { system.path("link"), LastLink::keep, System::answer });
        EXPECT_EQ(status->link_bytes, 0u);
    }),
        0);
}

// Goal: every change is refused for the right reason.
TEST_F(ServerTest, RefusesChanges)
{
    EXPECT_EQ(with_system([&](System& system) {
        auto const write = OpenFlag::write | OpenFlag::create;
        EXPECT_EQ(system.open("hi", write).error(), Error::read_only);
        EXPECT_EQ(system.open("new", write).error(), Error::read_only);
        EXPECT_EQ(system.open("no/new", write).error(), Error::not_found);
        EXPECT_EQ(system.open("hi/new", write).error(), Error::not_directory);
        EXPECT_EQ(system.open("folder", write).error(), Error::is_directory);
        EXPECT_EQ(system.open("hi", write | OpenFlag::exclusive).error(), Error::exists);
        EXPECT_EQ(
            system.open("link", OpenFlag::read | OpenFlag::no_follow).error(), Error::symlink_loop);
        EXPECT_EQ(
            system.directory.call(Directory::Mkdir { system.path("folder"), 0755, System::answer })
                .error(),
            Error::exists);
        EXPECT_EQ(
            system.directory
                .call(Directory::Unlink { system.path("hi"), RemoveKind::file, System::answer })
                .error(),
            Error::read_only);
        auto opened = system.open("hi", static_cast<OpenFlags>(OpenFlag::read));
        Client<File> const file(std::move(opened->file));
        EXPECT_EQ(file.call(File::Write { 0, { 0, 1 } }).error(), Error::no_rights);
        EXPECT_EQ(file.call(File::Read { 0, { region_bytes_max, 1 } }).error(), Error::invalid);
        EXPECT_TRUE(file.call(File::Close {}));
        EXPECT_EQ(file.call(File::Read { 0, { 0, 1 } }).error(), Error::dead);
    }),
        0);
}

// Goal: changes come through the protocols, and an unmount leaves a clean volume that has them.
// Method: make, write, cut, link, rename and remove; only who holds the server's port unmounts;
// e2fsck and debugfs look at the image.
TEST_F(ServerTest, WritesAndUnmounts)
{
    EXPECT_EQ(with_writable_system([&](System& system) {
        auto const create = OpenFlag::read | OpenFlag::write | OpenFlag::create;
        EXPECT_TRUE(system.directory.call(
            Directory::Mkdir { system.path("made"), 0750, System::answer, { 7, 8 } }));
        auto opened = system.open("made/file", create);
        Client<File> const file(std::move(opened->file));
        std::memset(system.region.span().data() + System::half, 'w', 50'000);
        EXPECT_EQ(file.call(File::Write { 10, { System::half, 50'000 } })->bytes, 50'000u);
        EXPECT_TRUE(file.call(File::Resize { 40'000 }));
        EXPECT_EQ(file.call(File::Seek { 0, SeekKind::hole })->offset, 40'000u);
        EXPECT_TRUE(file.call(File::Allocate { 0, 4'096, AllocateKind::punch }));
        EXPECT_EQ(file.call(File::Seek { 0, SeekKind::data })->offset, 4'096u);
        EXPECT_TRUE(file.call(File::Sync {}));
        EXPECT_EQ(
            system.contents("made/file"), std::string(4'096, '\0') + std::string(35'904, 'w'));
        EXPECT_TRUE(system.directory.call(
            Directory::Unlink { system.path("hi"), RemoveKind::file, System::answer }));
        EXPECT_EQ(
            system.open("hi", static_cast<OpenFlags>(OpenFlag::read)).error(), Error::not_found);
        EXPECT_EQ(system.directory.call(Directory::Unmount {}).error(), Error::no_rights);
        EXPECT_TRUE(system.root.call(Directory::Unmount {}));
        EXPECT_EQ(file.call(File::Write { 0, { System::half, 1 } }).error(), Error::read_only);
    }),
        0);
    expect_clean(image());
    auto const said = Debugfs(image()).ask({ "stat made/file", "stat made", "stat hi" });
    EXPECT_NE(said[0].find("Size: 40000"), std::string::npos) << said[0];
    EXPECT_NE(said[1].find("User:     7   Group:     8"), std::string::npos) << said[1];
    EXPECT_NE(said[2].find("not found"), std::string::npos) << said[2];
}

// Goal: an open that is refused for its memory makes nothing, and leaves nothing open.
TEST_F(ServerTest, AnOpenWithoutMemoryLeavesNothing)
{
    EXPECT_EQ(with_writable_system([&](System& system) {
        auto const free_inodes
            = [&] { return system.volume->volume.lock()->statistics().free_inodes; };
        auto const before = free_inodes();
        auto const no_region = [&](std::string_view name, OpenFlags flags) {
            return system.directory.call(
                Directory::Open { system.path(name), flags, 0644, System::answer,
                    std::move(*system.device_server.port.derive(Right::call | Right::derive)) });
        };
        EXPECT_FALSE(no_region("new", OpenFlag::write | OpenFlag::create));
        EXPECT_EQ(free_inodes(), before);
        EXPECT_FALSE(no_region("hi", static_cast<OpenFlags>(OpenFlag::read)));
        EXPECT_TRUE(system.directory.call(
            Directory::Unlink { system.path("hi"), RemoveKind::file, System::answer }));
        EXPECT_EQ(free_inodes(), before + 1);
    }),
        0);
    expect_clean(image());
}

namespace {

// Many clients with a file each, whose next requests are all at the port before one is answered.
class Crowd {
public:
    static constexpr u32 clients = 12;
    using Ask = std::function<Result<void>(u32 client, Client<File> const& file)>;

    explicit Crowd(System& system)
        : system_(system)
    {
        for (u32 client = 0; client < clients; ++client) {
            auto opened = system.open("crowd-" + std::to_string(client),
                OpenFlag::write | OpenFlag::read | OpenFlag::create);
            files_.emplace_back(std::move(opened->file));
        }
    }
    Result<void> write(u32 client)
    {
        return result_of(files_[client].call(File::Write { 0, { System::half, 3000 } }));
    }
    template <typename Reply>
    static Result<void> result_of(Result<Reply> const& reply)
    {
        return reply ? Result<void> {} : Result<void>(reply.error());
    }
    // The server waits for the volume meanwhile. Answers how many were answered without an error.
    u32 ask_at_once(Ask const& ask)
    {
        std::atomic<u32> asked { 0 };
        std::atomic<u32> done { 0 };
        std::atomic<u32> good { 0 };
        std::vector<std::function<void()>> threads;
        for (u32 client = 0; client < clients; ++client)
            threads.push_back([&, client] {
                ++asked;
                if (ask(client, files_[client]))
                    ++good;
                ++done;
            });
        auto volume = system_.volume->volume.lock();
        for (auto& thread : threads)
            in_thread(thread);
        while (asked < clients)
            system::sched_yield();
        sleep_until(Deadline::after_ms(5)); // from the last count to the port
        volume.unlock();
        while (done < clients)
            system::sched_yield();
        return good;
    }

private:
    System& system_;
    std::vector<Client<File>> files_;
};

Result<void> sync_one(u32, Client<File> const& file)
{
    return Crowd::result_of(file.call(File::Sync {}));
}

} // namespace

// Goal: all syncs that wait are one commit, two flushes, also with writes between them; and what
// goes wrong is told to all of them.
TEST_F(ServerTest, WaitingSyncsShareACommit)
{
    FileBlockDevice device(image());
    EXPECT_EQ(in_program([&](Env&) {
        System system(device, &device);
        Crowd crowd(system);
        for (u32 client = 0; client < Crowd::clients; ++client)
            EXPECT_TRUE(crowd.write(client));
        device.flushes = 0;
        EXPECT_EQ(crowd.ask_at_once(sync_one), Crowd::clients);
        EXPECT_EQ(device.flushes, 2u);
        device.flushes = 0;
        auto const mixed = [&](u32 client, Client<File> const& file) {
            return client % 2 == 0 ? crowd.write(client) : sync_one(client, file);
        };
        EXPECT_EQ(crowd.ask_at_once(mixed), Crowd::clients);
        EXPECT_EQ(device.flushes, 1u); // contents alone, within a tick
        EXPECT_TRUE(system.root.call(Directory::Unmount {}));
    }),
        0);
    expect_clean(image());
    EXPECT_EQ(in_program([&](Env&) {
        System system(device, &device);
        Crowd crowd(system);
        EXPECT_TRUE(crowd.write(0));
        EXPECT_TRUE(system.device_server.port.revoke());
        EXPECT_EQ(crowd.ask_at_once(sync_one), 0u);
    }),
        0);
}

// Goal: a listing in small pieces has every name once. Method: answers of 300 bytes.
TEST_F(ServerTest, ListsInPieces)
{
    EXPECT_EQ(with_system([&](System& system) {
        std::vector<std::string> names;
        u64 cookie = 0;
        while (true) {
            auto const reply = system.directory.call(
                Directory::Readdir { system.path("folder"), cookie, { System::half, 300 } });
            auto const text = system.answered(reply->bytes);
            EntryReader reader(std::as_bytes(std::span(text)));
            DirectoryEntry entry;
            std::string_view name;
            while (reader.next(entry, name)) {
                names.emplace_back(name);
                cookie = entry.cookie;
            }
            if (reply->bytes == 0)
                break;
        }
        std::sort(names.begin(), names.end());
        EXPECT_EQ(names.size(), 502u);
        EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
        EXPECT_EQ(system.directory
                      .call(Directory::Readdir { system.path("folder"), 0, { System::half, 20 } })
                      .error(),
            Error::too_big);
    }),
        0);
}

// Goal: extended attributes through the protocol, each mistake with its error.
TEST_F(ServerTest, ExtendedAttributes)
{
    EXPECT_EQ(with_writable_system([&](System& system) {
        auto const name = [&](std::string_view text) {
            std::memcpy(system.region.span().data() + 1000, text.data(), text.size());
            return Span { 1000, static_cast<u32>(text.size()) };
        };
        auto const set = [&](std::string_view value, ExtendedMode mode) {
            std::memcpy(system.region.span().data() + 2000, value.data(), value.size());
            return system.directory.call(Directory::SetExtended { system.path("hi"), LastLink::keep,
                name("user.x"), { 2000, static_cast<u32>(value.size()) }, mode, System::answer });
        };
        EXPECT_EQ(set("v", ExtendedMode::replace).error(), Error::no_attribute);
        EXPECT_TRUE(set("value", ExtendedMode::create));
        auto const got = system.directory.call(Directory::GetExtended {
            system.path("hi"), LastLink::keep, name("user.x"), System::answer });
        EXPECT_EQ(system.answered(got->bytes), "value");
        EXPECT_EQ(system.directory
                      .call(Directory::GetExtended {
                          system.path("hi"), LastLink::keep, name("user.x"), { System::half, 4 } })
                      .error(),
            Error::too_big);
        auto const names = system.directory.call(
            Directory::ListExtended { system.path("hi"), LastLink::keep, System::answer });
        EXPECT_EQ(system.answered(names->bytes), std::string("user.x\0", 7));
        EXPECT_TRUE(system.directory.call(Directory::RemoveExtended {
            system.path("hi"), LastLink::keep, name("user.x"), System::answer }));
        EXPECT_EQ(system.directory
                      .call(Directory::RemoveExtended {
                          system.path("hi"), LastLink::keep, name("user.x"), System::answer })
                      .error(),
            Error::no_attribute);
    }),
        0);
}

// Goal: a cold read is two messages and a warm one is one. Method: the trace of one read each.
TEST_F(ServerTest, AColdReadIsTwoMessages)
{
    EXPECT_EQ(with_system([&](System& system) {
        auto opened = system.open("folder/large", static_cast<OpenFlags>(OpenFlag::read));
        Client<File> const file(std::move(opened->file));
        TraceBuffer trace;
        auto* const before = set_trace_sink(&trace);
        auto const read = [&] {
            EXPECT_TRUE(file.call(File::Read { 200'000, { System::half, 100 } }));
            return trace.take();
        };
        auto const cold = read();
        auto const warm = read();
        set_trace_sink(before);
        EXPECT_EQ(cold.size(), 2u);
        EXPECT_TRUE(cold.front().starts_with("block.read("));
        EXPECT_TRUE(cold.back().starts_with("file.read("));
        EXPECT_EQ(warm.size(), 1u);
    }),
        0);
}

// Goal: without its driver the server says so, and serves what it has in its cache.
TEST_F(ServerTest, SurvivesTheDriver)
{
    EXPECT_EQ(with_system([&](System& system) {
        EXPECT_EQ(system.contents("hi"), "hi");
        EXPECT_TRUE(system.device_server.port.revoke());
        EXPECT_EQ(system.contents("hi"), "hi");
        EXPECT_FALSE(system.device->lost());
        auto opened = system.open("folder/large", static_cast<OpenFlags>(OpenFlag::read));
        if (opened) {
            Client<File> const file(std::move(opened->file));
            EXPECT_FALSE(file.call(File::Read { 250'000, { System::half, 100 } }));
        }
        EXPECT_TRUE(system.device->lost());
    }),
        0);
}

} // namespace

} // namespace gemel::ext4::test
