// The whole way on the real hosted kernel: Files -> vfs -> file systems, as programs use it.
#include "servers/fskit/client.hpp"
#include "servers/fskit/directory_server.hpp"
#include "servers/fskit/mounts_page.hpp"
#include "servers/rt/test/in_program.hpp"
#include "servers/tmpfs/tree.hpp"
#include "servers/vfs/session.hpp"

#include <gtest/gtest.h>

namespace gemel::vfs {
namespace {

using fskit::Files;
using test::in_program;
using test::in_thread;

// A tmpfs behind a port of its own.
struct TreeServed {
    explicit TreeServed(u64 bytes_max = 1 << 20)
        : tree({ .bytes_max = bytes_max, .now_ns = [] { return i64 { 5 }; } })
        , port(*system::port_allocate())
    {
        run = [this] { static_cast<void>(fskit::serve_tree(port, tree)); };
        in_thread(run, "tmpfs");
    }
    Handle directory() const { return std::move(*port.derive(Right::call | Right::derive)); }

    tmpfs::Tree tree;
    Handle port;
    std::function<void()> run;
};

// A vfs with a tree at "/" and one at "/tmp".
struct World {
    World()
        : port(*system::port_allocate())
        , names(port, std::move(*SharedRegion::create(fskit::mounts_page_bytes)))
    {
        auto& objects = names.objects();
        objects.on_notification([this](u64 bits) { names.closed(bits); });
        objects.set_root<protocol::Vfs>(
            make_ref<Session>(names, Authority::mounts, vfs_open_files_max));
        run = [this] { static_cast<void>(names.objects().run({ .threads = 2, .name = "vfs" })); };
        in_thread(run, "vfs");
        init = Client<protocol::Vfs>(std::move(*port.derive(Right::call | Right::derive)));
        region = std::move(*SharedRegion::create(page_bytes));
        EXPECT_TRUE(init.call(protocol::Vfs::Attach { std::move(*region.handle_for_peer()) }));
        EXPECT_TRUE(mount("/", root, 0));
        EXPECT_TRUE(mount("/tmp", tmp, 0));
    }

    Result<void> mount(std::string_view path, TreeServed& served, u32 flags)
    {
        std::memcpy(region.span().data(), path.data(), path.size());
        TRY(init.call(protocol::Vfs::Mount { .path = { 0, static_cast<u32>(path.size()) },
            .type = "tmpfs",
            .flags = flags,
            .directory = served.directory() }));
        return {};
    }
    // As a service that init started has it.
    Files files()
    {
        auto session = init.call(protocol::Vfs::Session {});
        return std::move(*Files::create(Client<protocol::Vfs>(std::move(session->vfs))));
    }

    TreeServed root;
    TreeServed tmp { 64 * page_bytes };
    Handle port;
    NameSpace names;
    std::function<void()> run;
    Client<protocol::Vfs> init;
    SharedRegion region;
};

// Stays until the system ends: its servers' threads use it that long.
template <typename T>
T& lasting()
{
    return *std::make_unique<T>().release();
}

constexpr auto create = OpenFlag::read | OpenFlag::write | OpenFlag::create;

std::string names_of(auto const& entries)
{
    std::string names;
    for (auto const& entry : entries)
        names += entry.name + ' ';
    return names;
}

std::map<std::string, FileStatus> statuses_of(fskit::Files& files, std::string_view path)
{
    std::map<std::string, FileStatus> statuses;
    EXPECT_TRUE(files.each_status(path,
        [&](std::string_view name, FileStatus const& status) { statuses.emplace(name, status); }));
    return statuses;
}

// Yields until `condition` holds; false after many turns.
bool eventually(std::function<bool()> const& condition)
{
    for (int i = 0; i < 10'000; ++i) {
        if (condition())
            return true;
        system::sched_yield();
    }
    return false;
}

// Goal: what file systems offer beside reading and writing is reached by path, symlinks followed.
// Method: link, node, owner, listing with status, exchange; what tmpfs lacks is named.
TEST(Vfs, PassesRequestsThrough)
{
    EXPECT_EQ(in_program([](Env&) {
        auto files = lasting<World>().files();
        EXPECT_TRUE(files.make_symlink("/s", "/tmp"));
        EXPECT_TRUE(files.write_all("/s/f", "text"));
        EXPECT_TRUE(files.link("/s/f", "/tmp/g"));
        EXPECT_EQ(files.status("/tmp/g")->links, 2u);
        EXPECT_EQ(files.link("/s/f", "/g").error(), Error::cross_device);
        auto const device = u64 { 4 } << 32 | 7;
        EXPECT_TRUE(files.make_node("/s/n", FileKind::block_device, 0640, device, { 10, 20 }));
        auto const node = files.status("/tmp/n");
        EXPECT_EQ(node->device_major, 4u);
        EXPECT_EQ(node->device_minor, 7u);
        EXPECT_EQ(node->gid, 20u);
        FileAttributes attributes { .mode = 0600, .size = 2 };
        attributes.add(AttributeChange::size);
        attributes.add(AttributeChange::mode);
        EXPECT_TRUE(files.set_attributes("/s/f", attributes));
        EXPECT_EQ(files.read_all("/tmp/g").value(), "te");
        EXPECT_TRUE(files.rename("/s/f", "/s/n", RenameMode::exchange));
        EXPECT_EQ(files.rename("/s/f", "/s/n", RenameMode::no_replace).error(), Error::exists);
        auto const listed = statuses_of(files, "/s");
        EXPECT_EQ(listed.size(), 3u);
        EXPECT_EQ(listed.begin()->first, "f");
        EXPECT_EQ(listed.begin()->second.kind, FileKind::block_device);
        EXPECT_EQ(std::next(listed.begin())->second.mode, 0600);
        EXPECT_TRUE(files.sync("/s/f", SyncScope::file));
        EXPECT_EQ(files.sync("/s/none", SyncScope::file).error(), Error::not_found);
        auto const extended = files.client().call(protocol::Vfs::ListExtended {
            .path = { 0, 1 }, .answer = { fskit::answer_area_offset, 100 } });
        EXPECT_EQ(extended.error(), Error::unsupported);
    }),
        0u);
}

// Goal: what is written by one name is read by another, through links, mounts and "..".
// Method: files on both mounts.
TEST(Vfs, WritesAndReads)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto files = world.files();
        EXPECT_TRUE(files.make_directory("/d"));
        EXPECT_TRUE(files.write_all("/d/f", "hello\nworld"));
        EXPECT_TRUE(files.make_symlink("/tmp/way", "../d"));
        EXPECT_EQ(*files.read_all("/tmp/way/../d/./f"), "hello\nworld");
        EXPECT_EQ(files.resolve("/tmp/way//f")->path, "/d/f");
        EXPECT_EQ(*files.link_text("/tmp/way"), "../d");
        EXPECT_EQ(files.status("/tmp/way", LastLink::keep)->kind, FileKind::symlink);
        EXPECT_EQ(files.status("/tmp/way")->kind, FileKind::directory);
        EXPECT_EQ(names_of(*files.list("/")), "d tmp ");
        EXPECT_EQ(names_of(*files.list("/tmp/way/")), "f ");
        auto const listed = statuses_of(files, "/");
        EXPECT_EQ(listed.size(), 2u);
        EXPECT_EQ(listed.at("tmp").inode, files.status("/tmp")->inode);
        EXPECT_EQ(listed.at("tmp").mode, files.status("/tmp")->mode);
        auto file = files.open("/d/f", static_cast<OpenFlags>(OpenFlag::read));
        fskit::LineReader lines { *file };
        EXPECT_EQ(**lines.next(), "hello");
        EXPECT_EQ(**lines.next(), "world");
        EXPECT_FALSE(*lines.next());
        EXPECT_EQ(*files.mounts(), "tmpfs / tmpfs rw\ntmpfs /tmp tmpfs rw\n");
    }),
        0);
}

// Goal: every refusal has its own error.
// Method: a table of calls on one small tree.
TEST(Vfs, RefusesWithTheRightError)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto files = world.files();
        EXPECT_TRUE(files.write_all("/f", "x"));
        EXPECT_TRUE(files.make_directory("/d"));
        EXPECT_TRUE(files.make_directory("/d/e"));
        EXPECT_TRUE(files.make_symlink("/loop", "/loop"));
        auto const read = static_cast<OpenFlags>(OpenFlag::read);
        EXPECT_EQ(files.open("/none", read).error(), Error::not_found);
        EXPECT_EQ(files.open("relative", read).error(), Error::invalid);
        EXPECT_EQ(files.open("/f/", read).error(), Error::not_directory);
        EXPECT_EQ(files.open("/f/x", read).error(), Error::not_directory);
        EXPECT_EQ(files.open("/loop", read).error(), Error::symlink_loop);
        EXPECT_EQ(files.open("/d", create).error(), Error::is_directory);
        EXPECT_EQ(files.open("/new/", create).error(), Error::is_directory);
        EXPECT_EQ(files.open("/f", create | OpenFlag::exclusive).error(), Error::exists);
        EXPECT_EQ(files.make_directory("/d").error(), Error::exists);
        EXPECT_EQ(files.make_directory("/").error(), Error::exists);
        EXPECT_EQ(files.make_directory("/" + std::string(256, 'x')).error(), Error::name_too_long);
        EXPECT_EQ(files.remove("/d").error(), Error::is_directory);
        EXPECT_EQ(files.remove("/d", RemoveKind::directory).error(), Error::not_empty);
        EXPECT_EQ(files.remove("/f/").error(), Error::not_directory);
        EXPECT_EQ(files.remove("/d/.", RemoveKind::directory).error(), Error::invalid);
        EXPECT_EQ(files.rename("/d", "/d/e/x").error(), Error::invalid);
        EXPECT_EQ(files.rename("/f", "/tmp/f").error(), Error::cross_device);
        EXPECT_EQ(files.rename("/f", "/g/").error(), Error::not_directory);
        EXPECT_EQ(files.link_text("/f").error(), Error::invalid);
        EXPECT_EQ(files.status(std::string(4096, '/')).error(), Error::name_too_long);
    }),
        0);
}

// Goal: mount points cannot be removed, moved or replaced, nor what holds one.
// Method: each change at and above a mount point.
TEST(Vfs, MountPointsStay)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto& inner = lasting<TreeServed>();
        auto files = world.files();
        EXPECT_TRUE(files.make_directory("/a"));
        EXPECT_TRUE(world.mount("/a/b", inner, 0));
        EXPECT_TRUE(files.write_all("/x", ""));
        EXPECT_EQ(files.remove("/tmp", RemoveKind::directory).error(), Error::busy);
        EXPECT_EQ(files.remove("/", RemoveKind::directory).error(), Error::busy);
        EXPECT_EQ(files.remove("/a", RemoveKind::directory).error(), Error::busy);
        EXPECT_EQ(files.rename("/tmp", "/t").error(), Error::busy);
        EXPECT_EQ(files.rename("/a", "/t").error(), Error::busy);
        EXPECT_EQ(files.rename("/x", "/tmp").error(), Error::busy);
        EXPECT_EQ(names_of(*files.list("/a")), "b ");
        EXPECT_EQ(files.status("/a/b")->kind, FileKind::directory);
        EXPECT_EQ(
            files.client()
                .call(protocol::Vfs::Mount {
                    .path = { 0, 1 }, .type = "x", .flags = 0, .directory = inner.directory() })
                .error(),
            Error::no_rights);
    }),
        0);
}

// Goal: a session holds at most its bound of files open, closing makes room, and a session made
// from it shares the bound. Method: 1,000 openings, then close one.
TEST(Vfs, BoundsOpenFiles)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto files = world.files();
        EXPECT_TRUE(files.write_all("/f", "x"));
        auto const read = static_cast<OpenFlags>(OpenFlag::read);
        std::vector<fskit::OpenFile> held;
        for (int i = 0; i < 1'000; ++i) {
            auto file = files.open("/f", read);
            if (file)
                held.push_back(std::move(*file));
            else
                EXPECT_EQ(file.error(), Error::too_many_open);
        }
        EXPECT_EQ(held.size(), vfs_open_files_default);
        auto nested = Files::create(std::move(*files.client().duplicate()));
        EXPECT_EQ(nested->open("/f", read).error(), Error::too_many_open);
        // Another program has its own bound, and cannot get past it by making sessions.
        auto other = Files::create(Client<protocol::Vfs>(std::move(*files.session_for_another(2))));
        auto const first = other->open("/f", read);
        EXPECT_TRUE(first);
        auto further
            = Files::create(Client<protocol::Vfs>(std::move(*other->session_for_another(100))));
        auto const second = further->open("/f", read);
        EXPECT_TRUE(second);
        EXPECT_EQ(further->open("/f", read).error(), Error::too_many_open);
        EXPECT_EQ(files.session_for_another(vfs_open_files_max + 1).error(), Error::too_big);
        held.pop_back();
        EXPECT_TRUE(files.open("/f", read));
        EXPECT_EQ(*held.front().read_rest(10), "x");
    }),
        0);
}

// Goal: a file that nobody holds any more is given up by the file system too, so that the space of
// an unlinked one comes back. Method: unlink an open file, close it, watch the free space.
TEST(Vfs, ClosingReachesTheFileSystem)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto files = world.files();
        auto const free = files.volume("/tmp")->bytes_free;
        {
            auto file = files.open("/tmp/f", create);
            EXPECT_TRUE(file->write(std::string(3 * page_bytes, 'x')));
            EXPECT_TRUE(files.remove("/tmp/f"));
            file->seek(0);
            EXPECT_EQ(file->read_rest(1 << 20)->size(), 3 * page_bytes);
            EXPECT_EQ(files.volume("/tmp")->bytes_free, free - 3 * page_bytes);
        }
        EXPECT_TRUE(eventually([&] { return files.volume("/tmp")->bytes_free == free; }));
    }),
        0);
}

// Goal: a file system maps a session's memory once, however many files are opened and closed, and
// lets go of it when the session ends.
// Method: trace a session's openings on two mounts; count the machine's free pages around sessions.
TEST(Vfs, MemoryIsShownOnce)
{
    EXPECT_EQ(in_program([](Env& env) {
        AuditBroker const audit { std::move(*env.take_handle("broker-audit")) };
        auto& world = lasting<World>();
        EXPECT_TRUE(world.files().write_all("/f", "x"));
        EXPECT_TRUE(world.files().write_all("/tmp/f", "x"));
        auto const attaches_of_session = [&] {
            auto files = world.files();
            std::vector<usize> attaches;
            for (std::string_view const path : { "/f", "/tmp/f", "/f", "/f", "/tmp/f", "/f" }) {
                TraceBuffer buffer;
                (void)set_trace_sink(&buffer);
                EXPECT_EQ(*files.read_all(path), "x");
                (void)set_trace_sink(nullptr);
                attaches.push_back(static_cast<usize>(
                    std::ranges::count_if(buffer.take(), [](std::string const& line) {
                        return line.starts_with("directory.attach(");
                    })));
            }
            return attaches;
        };
        EXPECT_EQ(attaches_of_session(), (std::vector<usize> { 0, 0, 1, 0, 1, 0 }));
        u64 free = 0;
        EXPECT_TRUE(eventually([&] {
            auto const now = audit.totals()->pages_free;
            return std::exchange(free, now) == now;
        }));
        for (unsigned session = 0; session < 8; ++session)
            attaches_of_session();
        EXPECT_TRUE(eventually([&] { return audit.totals()->pages_free + 4 >= free; }));
    }),
        0);
}

// Goal: a full file system says so, keeps what it took, and goes on when there is room again.
// Method: fill 64 pages.
TEST(Vfs, SurvivesAFullFileSystem)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto files = world.files();
        EXPECT_EQ(files.write_all("/tmp/big", std::string(65 * page_bytes, 'x')).error(),
            Error::no_space);
        EXPECT_EQ(files.status("/tmp/big")->size, 64 * page_bytes);
        EXPECT_EQ(files.write_all("/tmp/other", "y").error(), Error::no_space);
        EXPECT_TRUE(files.remove("/tmp/big"));
        EXPECT_TRUE(eventually([&] { return files.write_all("/tmp/other", "y").has_value(); }));
    }),
        0);
}

// Goal: a read-only mount refuses every change with read_only and still reads.
// Method: mount the same tree read-only.
TEST(Vfs, ReadOnlyMountsRefuseChanges)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto files = world.files();
        EXPECT_TRUE(files.write_all("/f", "x"));
        EXPECT_TRUE(files.make_directory("/d"));
        EXPECT_TRUE(world.mount("/", world.root, 1));
        EXPECT_EQ(*files.read_all("/f"), "x");
        EXPECT_EQ(files.write_all("/f", "y").error(), Error::read_only);
        EXPECT_EQ(files.write_all("/g", "y").error(), Error::read_only);
        EXPECT_EQ(files.open("/d", create).error(), Error::is_directory);
        EXPECT_EQ(files.make_directory("/e").error(), Error::read_only);
        EXPECT_EQ(files.remove("/f").error(), Error::read_only);
        EXPECT_EQ(files.rename("/f", "/g").error(), Error::read_only);
        EXPECT_EQ(files.make_symlink("/l", "f").error(), Error::read_only);
        EXPECT_EQ(files.volume("/")->read_only, 1u);
        EXPECT_EQ(*files.read_all("/f"), "x");
    }),
        0);
}

// Goal: 5,000 files in one directory are listed once each, across many answers, and every byte may
// stand in a name.
// Method: make them, list, compare.
TEST(Vfs, ListsManyAndStrangeNames)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto files = world.files();
        for (int i = 0; i < 5'000; ++i)
            EXPECT_TRUE(files.make_symlink("/tmp/file" + std::to_string(i), "x"));
        auto const listed = files.list("/tmp");
        EXPECT_EQ(listed->size(), 5'000u);
        for (usize i = 1; i < listed->size(); ++i)
            EXPECT_NE((*listed)[i - 1].name, (*listed)[i].name);
        EXPECT_TRUE(files.make_directory("/strange"));
        for (int byte = 1; byte < 256; ++byte) {
            if (byte == '/' || byte == '.')
                continue;
            auto const path = std::string("/strange/") + static_cast<char>(byte);
            EXPECT_TRUE(files.write_all(path, path));
            EXPECT_EQ(*files.read_all(path), path);
        }
        EXPECT_EQ(files.list("/strange")->size(), 253u);
    }),
        0);
}

// Goal: when a file system's server ends, its files answer dead and its paths unavailable, others
// go on, and a new one mounted in its place serves again. Method: destroy the port of /tmp.
TEST(Vfs, OutlivesAFileSystem)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& world = lasting<World>();
        auto files = world.files();
        EXPECT_TRUE(files.write_all("/f", "x"));
        auto file = files.open("/tmp/g", create);
        EXPECT_TRUE(file);
        EXPECT_TRUE(world.tmp.port.destroy());
        EXPECT_FALSE(file->write("y"));
        EXPECT_FALSE(files.status("/tmp/g"));
        EXPECT_EQ(files.status("/tmp/g").error(), Error::unavailable);
        EXPECT_EQ(*files.read_all("/f"), "x");
        EXPECT_EQ(names_of(*files.list("/")), "f tmp ");
        auto& again = lasting<TreeServed>();
        EXPECT_TRUE(world.mount("/tmp", again, 0));
        EXPECT_EQ(files.status("/tmp/g").error(), Error::not_found);
        EXPECT_TRUE(files.write_all("/tmp/g", "z"));
    }),
        0);
}

} // namespace
} // namespace gemel::vfs
