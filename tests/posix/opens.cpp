// open() with every combination of its flags at every kind of thing, what the flags leave of the
// content, and what the opened file may be used for.
#include "tests/posix/suite.hpp"

namespace gemel::posix {

namespace {

enum class Thing : u8 {
    missing,
    file,
    directory,
    link_to_file,
    link_to_nothing,
    link_to_directory
};
constexpr std::string_view thing_names[] = { "nothing", "a file", "a directory", "a link to a file",
    "a link to nothing", "a link to a directory" };

void make(Suite& suite, Thing thing)
{
    auto& backend = suite.backend;
    switch (thing) {
    case Thing::missing:
        return;
    case Thing::file:
        return suite.file("it");
    case Thing::directory:
        return suite.directory("it");
    case Thing::link_to_file:
        suite.file("aim");
        return suite.must("link", backend.symlink("aim", suite.at("it")));
    case Thing::link_to_nothing:
        return suite.must("link", backend.symlink("aim", suite.at("it")));
    case Thing::link_to_directory:
        suite.directory("aim");
        return suite.must("link", backend.symlink("aim", suite.at("it")));
    }
}

Fault wanted(Thing thing, OpenFlags flags)
{
    bool const creates = has(flags, OpenFlag::create);
    bool const is_link = thing >= Thing::link_to_file;
    if (creates && has(flags, OpenFlag::exclusive) && thing != Thing::missing)
        return Fault::exist;
    if (is_link && has(flags, OpenFlag::no_follow))
        return Fault::loop;
    if (thing == Thing::missing || thing == Thing::link_to_nothing)
        return creates ? Fault::none : Fault::noent;
    bool const is_directory = thing == Thing::directory || thing == Thing::link_to_directory;
    if (is_directory && (creates || has(flags, OpenFlag::write)))
        return Fault::isdir;
    return Fault::none;
}

std::string name_of_flags(OpenFlags flags)
{
    struct Word {
        OpenFlag flag;
        char const* word;
    };
    constexpr Word words[]
        = { { OpenFlag::read, "r" }, { OpenFlag::write, "w" }, { OpenFlag::create, ",creat" },
              { OpenFlag::exclusive, ",excl" }, { OpenFlag::truncate, ",trunc" },
              { OpenFlag::append, ",append" }, { OpenFlag::no_follow, ",nofollow" } };
    std::string name = "open(";
    for (auto const& word : words)
        name += has(flags, word.flag) ? word.word : "";
    return name + ")";
}

// Reads and writes through the opened file as its flags let it.
void use(Suite& suite, std::string const& name, int file, OpenFlags flags, bool had_content)
{
    auto& backend = suite.backend;
    bool const kept = had_content && !has(flags, OpenFlag::truncate);
    bool const writes = has(flags, OpenFlag::write);
    auto const got = backend.read(file, 0, 100);
    suite.same(
        name + ": a read", got.fault, has(flags, OpenFlag::read) ? Fault::none : Fault::badf);
    if (has(flags, OpenFlag::read))
        suite.same(name + ": what was read", got.value, kept ? "content" : "");
    auto const put = backend.write(file, 0, "XY");
    suite.same(name + ": a write", put.fault, writes ? Fault::none : Fault::badf);
    suite.same(name + ": a resize", backend.resize(file, 9), writes ? Fault::none : Fault::inval);
    suite.must("close", backend.close(file));
    if (!writes)
        return;
    std::string content = kept ? "content" : "";
    if (has(flags, OpenFlag::append))
        content += "XY";
    else
        content.replace(0, 2, "XY");
    content.resize(9);
    suite.same(name + ": what is there then", suite.content("it"), content);
}

void check_one(Suite& suite, Thing thing, OpenFlags flags)
{
    auto const name
        = name_of_flags(flags) + " of " + std::string(thing_names[static_cast<usize>(thing)]);
    make(suite, thing);
    auto const opened = suite.backend.open(suite.at("it"), flags, 0640);
    auto const right = wanted(thing, flags);
    suite.same(name, opened.fault, right);
    bool const is_directory = thing == Thing::directory || thing == Thing::link_to_directory;
    bool const had_content = thing == Thing::file || thing == Thing::link_to_file;
    if (opened && right == Fault::none && !is_directory)
        use(suite, name, opened.value, flags, had_content);
    else if (opened)
        suite.must("close", suite.backend.close(opened.value));
    suite.clear("it");
    suite.clear("aim");
}

void check_modes(Suite& suite)
{
    for (u16 const mode : { 0, 0400, 0200, 0644, 0755, 0777, 04755, 02755, 01777, 07777 }) {
        auto const text = std::to_string(mode);
        auto const flags = OpenFlag::write | OpenFlag::create | OpenFlag::exclusive;
        suite.same(
            "open, mode " + text, suite.open_and_close(suite.at("f"), flags, mode), Fault::none);
        suite.same("mode of the file, " + text, suite.status("f").mode, mode);
        suite.same(
            "mkdir, mode " + text, suite.backend.make_directory(suite.at("d"), mode), Fault::none);
        suite.same("mode of the directory, " + text, suite.status("d").mode,
            static_cast<u16>(mode & 01777)); // mkdir(2): these bits
        suite.same("mkfifo, mode " + text,
            suite.backend.make_node(suite.at("p"), FileKind::pipe, mode, 0), Fault::none);
        suite.same("mode of the pipe, " + text, suite.status("p").mode, mode);
        for (auto const* const name : { "f", "d", "p" })
            suite.clear(name);
    }
}

// Files that are no regular ones, and requests that an open directory does not serve.
void check_others(Suite& suite)
{
    auto& backend = suite.backend;
    suite.directory("dir");
    auto const opened = backend.open(suite.at("dir"), static_cast<OpenFlags>(OpenFlag::read), 0);
    suite.same("open of a directory", opened.fault, Fault::none);
    suite.same("read of it", backend.read(opened.value, 0, 10).fault, Fault::isdir);
    suite.same("write of it", backend.write(opened.value, 0, "x").fault, Fault::badf);
    suite.same("resize of it", backend.resize(opened.value, 0), Fault::inval);
    suite.same("sync of it", backend.sync(opened.value), Fault::none);
    suite.holds("status of it", backend.status(opened.value).value.kind == FileKind::directory);
    suite.same(
        "allocate of it", backend.allocate(opened.value, AllocateKind::grow, 0, 10), Fault::badf);
    suite.same(
        "mode through it", backend.set_attributes(opened.value, mode_change(0711)), Fault::none);
    suite.same("its mode", suite.status("dir").mode, 0711);
    suite.must("close", backend.close(opened.value));
    suite.must("socket", backend.make_node(suite.at("sock"), FileKind::socket, 0644, 0));
    suite.same("open of a socket",
        suite.open_and_close(suite.at("sock"), static_cast<OpenFlags>(OpenFlag::read)),
        Fault::nxio);
}

} // namespace

void check_opens(Suite& suite)
{
    suite.section("opens");
    constexpr OpenFlags accesses[] = { static_cast<OpenFlags>(OpenFlag::read),
        static_cast<OpenFlags>(OpenFlag::write), OpenFlag::read | OpenFlag::write };
    constexpr OpenFlag additions[] = { OpenFlag::create, OpenFlag::exclusive, OpenFlag::truncate,
        OpenFlag::append, OpenFlag::no_follow };
    for (usize thing = 0; thing < std::size(thing_names); ++thing) {
        for (auto const access : accesses) {
            for (u32 set = 0; set < 32; ++set) {
                OpenFlags flags = access;
                for (u32 bit = 0; bit < 5; ++bit)
                    flags = (set >> bit & 1) != 0 ? flags | additions[bit] : flags;
                bool const undefined // POSIX leaves these open
                    = (has(flags, OpenFlag::exclusive) && !has(flags, OpenFlag::create))
                    || (has(flags, OpenFlag::truncate) && !has(flags, OpenFlag::write));
                if (!undefined)
                    check_one(suite, static_cast<Thing>(thing), flags);
            }
        }
    }
    check_modes(suite);
    check_others(suite);
}

} // namespace gemel::posix
