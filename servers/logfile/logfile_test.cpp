// The service on the real hosted kernel, with a log, a vfs and a tmpfs of the test's own.
#include "servers/fskit/directory_server.hpp"
#include "servers/fskit/mounts_page.hpp"
#include "servers/log/service.hpp"
#include "servers/logfile/keeper.hpp"
#include "servers/rt/test/in_program.hpp"
#include "servers/tmpfs/tree.hpp"
#include "servers/vfs/session.hpp"

#include <gtest/gtest.h>

namespace gemel::logfile {
namespace {

using test::in_program;
using test::in_thread;

constexpr std::string_view path = "/system.log";
constexpr usize disk_bytes = 64 * page_bytes;

Handle client_of(Handle const& port)
{
    return std::move(*port.derive(Right::call | Right::send | Right::derive));
}

// A file system at "/", a vfs before it and a log.
struct World {
    World()
        : tree({ .bytes_max = disk_bytes, .now_ns = [] { return i64 { 5 }; } })
        , tree_port(*system::port_allocate())
        , vfs_port(*system::port_allocate())
        , log_port(*system::port_allocate())
        , names(vfs_port, std::move(*SharedRegion::create(fskit::mounts_page_bytes)))
        , journal(2 * log::Ring::piece_bytes)
        , writers(log_port)
    {
        serve_tree = [this] { (void)fskit::serve_tree(tree_port, tree); };
        in_thread(serve_tree, "tmpfs");
        names.objects().on_notification([this](u64 bits) { names.closed(bits); });
        names.objects().set_root<protocol::Vfs>(
            make_ref<vfs::Session>(names, vfs::Authority::mounts, vfs_open_files_max));
        serve_names = [this] { (void)names.objects().run({ .threads = 2, .name = "vfs" }); };
        in_thread(serve_names, "vfs");
        writers.set_root<protocol::Log>(
            make_ref<log::Writer>(journal, writers, "root", log::WriterKind::root));
        serve_log = [this] { (void)writers.run(); };
        in_thread(serve_log, "log");
        Client<protocol::Vfs> const init { client_of(vfs_port) };
        region = std::move(*SharedRegion::create(page_bytes));
        EXPECT_TRUE(init.call(protocol::Vfs::Attach { std::move(*region.handle_for_peer()) }));
        region.span()[0] = std::byte { '/' };
        EXPECT_TRUE(init.call(protocol::Vfs::Mount {
            .path = { 0, 1 }, .type = "tmpfs", .directory = client_of(tree_port) }));
        vfs = std::move(init.call(protocol::Vfs::Session {})->vfs);
        root = Client<protocol::Log>(client_of(log_port));
        says.connect(std::move(*root.duplicate()), "logfile");
    }
    fskit::Files files()
    {
        return std::move(*fskit::Files::create(Client<protocol::Vfs>(std::move(vfs))));
    }
    Client<protocol::Log> reader() const
    {
        return Client<protocol::Log>(std::move(root.call(protocol::Log::Open { "reader" })->log));
    }
    void log(std::string_view text) { journal.write(protocol::LogLevel::info, "t", text); }

    tmpfs::Tree tree;
    Handle tree_port;
    Handle vfs_port;
    Handle log_port;
    vfs::NameSpace names;
    log::Journal journal;
    ObjectServer writers;
    std::function<void()> serve_tree;
    std::function<void()> serve_names;
    std::function<void()> serve_log;
    SharedRegion region;
    Handle vfs;
    Client<protocol::Log> root;
    Log says;
};

// Stays until the system ends: its servers' threads use it that long.
World& world()
{
    return *std::make_unique<World>().release();
}

std::string content(fskit::Files& files, std::string const& name)
{
    auto text = files.read_all(name);
    return text ? *text : std::string(name_of(text.error()));
}

std::string older(unsigned number)
{
    return concatenate(path, '.', number);
}

void append(RotatingFile& file, std::string_view text)
{
    EXPECT_TRUE(file.append(text));
    EXPECT_TRUE(text.empty());
}

// What the lines say, without their times.
std::string said(std::string const& text)
{
    std::string out;
    for (std::string_view left = text; !left.empty();) {
        auto const line = left.substr(0, left.find('\n') + 1);
        out += line.substr(line.find(' ') + 1);
        left.remove_prefix(line.size());
    }
    return out;
}

constexpr std::string_view filling = "/filling";

// Until not a byte more has room.
void fill_disk(fskit::Files& files)
{
    auto file = files.open(filling, OpenFlag::write | OpenFlag::create);
    std::string const page(page_bytes, 'x');
    while (file->write(page)) { }
}

} // namespace

// Goal: the file never passes its bound, no line is lost or torn, and five files are kept.
// Method: a hundred lines in texts of three; all files together hold the newest, in order.
TEST(RotatingFile, KeepsTheNewestLinesInFiveFiles)
{
    EXPECT_EQ(in_program([](Env&) {
        auto files = world().files();
        RotatingFile file { files, std::string(path), 100 };
        std::string all;
        for (unsigned i = 0; i < 99; i += 3) {
            auto const text
                = concatenate("line ", 100 + i, "\nline ", 101 + i, "\nline ", 102 + i, '\n');
            append(file, text);
            all += text;
        }
        std::string kept;
        for (auto number = RotatingFile::older_max; number > 0; --number) {
            EXPECT_EQ(files.status(older(number))->size, 99u); // eleven lines of nine bytes
            kept += content(files, older(number));
        }
        kept += content(files, std::string(path));
        EXPECT_EQ(kept.size(), 5 * 99u);
        EXPECT_TRUE(all.ends_with(kept));
        EXPECT_EQ(files.status(older(RotatingFile::older_max + 1)).error(), Error::not_found);
    }),
        0);
}

// Goal: a line that is longer than the bound is whole, alone in its file.
TEST(RotatingFile, ALongLineHasAFileOfItsOwn)
{
    EXPECT_EQ(in_program([](Env&) {
        auto files = world().files();
        RotatingFile file { files, std::string(path), 10 };
        auto const long_line = std::string(50, 'x') + '\n';
        append(file, "a\n" + long_line + "b\nc\n");
        EXPECT_EQ(content(files, older(2)), "a\n");
        EXPECT_EQ(content(files, older(1)), long_line);
        EXPECT_EQ(content(files, std::string(path)), "b\nc\n");
    }),
        0);
}

// Goal: a restart appends, ends a line that a crash tore, and goes on with a rotation that was
// interrupted without losing a file. Whoever removes the file gets a new one.
TEST(RotatingFile, GoesOnWhereItEnded)
{
    EXPECT_EQ(in_program([](Env&) {
        auto files = world().files();
        EXPECT_TRUE(files.write_all(path, "old\ntor"));
        RotatingFile file { files, std::string(path), 16 };
        append(file, "new\n");
        EXPECT_EQ(content(files, std::string(path)), "old\ntor\nnew\n");
        for (unsigned number : { 2, 3, 4 })
            EXPECT_TRUE(files.write_all(older(number), concatenate(number)));
        append(file, "one more\n"); // number 1 is free
        EXPECT_EQ(content(files, older(1)), "old\ntor\nnew\n");
        EXPECT_EQ(content(files, older(2)), "2");
        EXPECT_EQ(content(files, older(4)), "4");
        EXPECT_TRUE(files.remove(path));
        append(file, "again\n");
        EXPECT_EQ(content(files, std::string(path)), "again\n");
    }),
        0);
}

// Goal: on a full disk no part of a line stays, what was written is told, and it goes on when there
// is room.
TEST(RotatingFile, AFullDiskTearsNoLine)
{
    EXPECT_EQ(in_program([](Env&) {
        auto files = world().files();
        RotatingFile file { files, std::string(path), 1 << 20 };
        append(file, "first\n");
        fill_disk(files);
        auto const text = std::string(2 * page_bytes, 'y') + '\n';
        std::string_view left = text;
        EXPECT_EQ(file.append(left).error(), Error::no_space);
        EXPECT_EQ(left.size(), text.size());
        EXPECT_EQ(content(files, std::string(path)), "first\n");
        EXPECT_TRUE(files.remove(filling));
        append(file, text);
        EXPECT_EQ(content(files, std::string(path)), "first\n" + text);
    }),
        0);
}

// Goal: everything the log has is in the file, from its first line on, each line once; the log's
// signal says when there is more, and only then; the next keeper goes on there.
TEST(Keeper, WritesWhatTheLogHas)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& system = world();
        auto files = system.files();
        RotatingFile file { files, std::string(path), 1 << 20 };
        Handle const port { *system::port_allocate() };
        auto const port_to_give
            = [&] { return std::move(*port.derive(Right::send | Right::derive)); };
        auto const signalled = [&] { return system::port_poll(port.value()).has_value(); };
        system.log("one");
        {
            Keeper keeper { system.reader(), file, system.says };
            EXPECT_TRUE(keeper.follow(port_to_give()));
            EXPECT_TRUE(keeper.keep());
            EXPECT_EQ(said(content(files, std::string(path))), "INFO t: one\n");
            EXPECT_FALSE(signalled());
            system.log("two");
            system.log("three");
            EXPECT_TRUE(signalled());
            EXPECT_FALSE(signalled());
            keeper.notified(Keeper::more_bit);
        }
        system.log("four");
        Keeper next { system.reader(), file, system.says };
        EXPECT_TRUE(next.follow(port_to_give()));
        EXPECT_TRUE(next.on(protocol::Keeper::Flush {}));
        EXPECT_EQ(said(content(files, std::string(path))),
            "INFO t: one\nINFO t: two\nINFO t: three\nINFO t: four\n");
    }),
        0);
}

// Goal: a log that writes faster than it is read leaves whole lines, and the file says what is
// missing.
TEST(Keeper, SaysWhatTheLogNoLongerHad)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& system = world();
        auto files = system.files();
        RotatingFile file { files, std::string(path), 1 << 20 };
        Keeper keeper { system.reader(), file, system.says };
        Handle const port { *system::port_allocate() };
        EXPECT_TRUE(keeper.follow(std::move(*port.derive(Right::send | Right::derive))));
        std::string const long_text(1000, 'x');
        for (unsigned i = 0; i < 200; ++i)
            system.log(long_text);
        EXPECT_TRUE(keeper.keep());
        auto const text = said(content(files, std::string(path)));
        auto const first = text.substr(0, text.find('\n') + 1);
        EXPECT_TRUE(first.starts_with("WARN logfile: ")) << first;
        EXPECT_TRUE(first.ends_with(" bytes were lost: the log went on meanwhile\n")) << first;
        auto const line = "INFO t: " + long_text + '\n';
        EXPECT_GE(text.size() - first.size(), 60 * line.size());
        EXPECT_EQ((text.size() - first.size()) % line.size(), 0u);
        EXPECT_TRUE(text.substr(first.size()).starts_with(line));
    }),
        0);
}

// Goal: a full disk is said once and does not wake the service for ever; what has room here comes
// later, the rest is counted, and the file says how much.
TEST(Keeper, WaitsForRoom)
{
    EXPECT_EQ(in_program([](Env&) {
        auto& system = world();
        auto files = system.files();
        RotatingFile file { files, std::string(path), 1 << 20 };
        Handle const port { *system::port_allocate() };
        Keeper keeper { system.reader(), file, system.says };
        EXPECT_TRUE(keeper.follow(std::move(*port.derive(Right::send | Right::derive))));
        auto const work = [&] {
            unsigned count = 0;
            for (; system::port_poll(port.value()); ++count)
                keeper.notified(Keeper::more_bit);
            return count;
        };
        EXPECT_TRUE(keeper.keep());
        fill_disk(files);
        system.log("first");
        EXPECT_EQ(work(), 2u); // for the line, and for what it says of itself
        EXPECT_EQ(work(), 0u);
        EXPECT_EQ(keeper.on(protocol::Keeper::Flush {}).error(), Error::no_space);
        std::string const long_text(1000, 'x');
        for (unsigned i = 0; i < 100; ++i) {
            system.log(long_text);
            EXPECT_EQ(work(), 1u);
        }
        EXPECT_TRUE(files.remove(filling));
        system.log("last");
        EXPECT_EQ(work(), 1u);
        auto const text = said(content(files, std::string(path)));
        auto const line = "INFO t: " + long_text + '\n';
        auto const held = Keeper::waiting_bytes_max / (line.size() + sizeof("0.000000"));
        auto const lost = concatenate(
            "WARN logfile: ", 102 - held, " lines were lost: ", Error::no_space, '\n');
        EXPECT_EQ(text.substr(0, lost.size()), lost);
        EXPECT_EQ(text.size(), lost.size() + held * line.size() + sizeof("INFO t: last"));
        EXPECT_TRUE(text.ends_with("INFO t: last\n"));
        EXPECT_TRUE(keeper.on(protocol::Keeper::Flush {}));
        system.log("more");
        EXPECT_EQ(work(), 1u);
        EXPECT_TRUE(content(files, std::string(path)).ends_with("INFO t: more\n"));
    }),
        0);
}

} // namespace gemel::logfile
