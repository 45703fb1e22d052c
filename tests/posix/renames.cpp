// rename() of everything onto everything, in one directory and between two, in each mode. What is
// wanted is not a table: it is what POSIX and renameat2(2) say, in `wanted` below.
#include "tests/posix/suite.hpp"

namespace gemel::posix {

namespace {

enum class Thing : u8 {
    missing,
    file,
    file_with_names, // a second name elsewhere
    empty_directory,
    full_directory,
    link_to_file,
    link_to_directory,
    dangling_link,
    long_link,
    pipe,
    socket,
    device,
};
struct NamedThing {
    Thing thing;
    std::string name;
};
NamedThing const things[] = { { Thing::missing, "nothing" }, { Thing::file, "file" },
    { Thing::file_with_names, "file of two names" }, { Thing::empty_directory, "empty directory" },
    { Thing::full_directory, "full directory" }, { Thing::link_to_file, "link to a file" },
    { Thing::link_to_directory, "link to a directory" }, { Thing::dangling_link, "dangling link" },
    { Thing::long_link, "long link" }, { Thing::pipe, "pipe" }, { Thing::socket, "socket" },
    { Thing::device, "device" } };

bool is_directory(Thing thing)
{
    return thing == Thing::empty_directory || thing == Thing::full_directory;
}

void make(Suite& suite, Thing thing, std::string const& name, std::string const& aside)
{
    auto& backend = suite.backend;
    auto const path = suite.at(name);
    switch (thing) {
    case Thing::missing:
        return;
    case Thing::file:
        return suite.file(name, name);
    case Thing::file_with_names:
        suite.file(name, name);
        return suite.must("a second name", backend.link(path, suite.at(aside)));
    case Thing::empty_directory:
        return suite.directory(name);
    case Thing::full_directory:
        suite.directory(name);
        return suite.file(name + "/inner");
    case Thing::link_to_file:
        return suite.must(name, backend.symlink("aim", path));
    case Thing::link_to_directory:
        return suite.must(name, backend.symlink("aimdir", path));
    case Thing::dangling_link:
        return suite.must(name, backend.symlink("nowhere", path));
    case Thing::long_link:
        return suite.must(name, backend.symlink(std::string(300, 'l'), path));
    case Thing::pipe:
        return suite.must(name, backend.make_node(path, FileKind::pipe, 0644, 0));
    case Thing::socket:
        return suite.must(name, backend.make_node(path, FileKind::socket, 0644, 0));
    case Thing::device:
        return suite.must(
            name, backend.make_node(path, FileKind::character_device, 0644, u64 { 1 } << 32 | 3));
    }
}

Fault wanted(Thing from, Thing to, RenameMode mode)
{
    if (from == Thing::missing)
        return Fault::noent;
    if (mode == RenameMode::exchange)
        return to == Thing::missing ? Fault::noent : Fault::none;
    if (to == Thing::missing)
        return Fault::none;
    if (mode == RenameMode::no_replace)
        return Fault::exist;
    if (is_directory(from) && !is_directory(to))
        return Fault::notdir;
    if (!is_directory(from) && is_directory(to))
        return Fault::isdir;
    return to == Thing::full_directory ? Fault::notempty : Fault::none;
}

struct Case {
    std::string name;
    Thing from;
    Thing to;
    RenameMode mode;
    std::string to_directory;
};

u32 links_of(Suite& suite, std::string const& name)
{
    return suite.status(name).links;
}

// How many directories are in "a" and "b" afterwards decides what they count.
void check_parents(Suite& suite, Case const& each, bool done)
{
    bool const two = each.to_directory == "b";
    auto const from = is_directory(each.from) ? 1u : 0u;
    auto const to = is_directory(each.to) ? 1u : 0u;
    u32 in_a = from + (two ? 0 : to);
    u32 in_b = two ? to : 0;
    if (done && each.mode == RenameMode::exchange && two) {
        in_a = to;
        in_b = from;
    } else if (done && each.mode != RenameMode::exchange) {
        in_a = two ? 0 : from;
        in_b = two ? from : 0;
    }
    suite.same(each.name + ": links of the first directory", links_of(suite, "a"), 2 + in_a);
    suite.same(each.name + ": links of the second directory", links_of(suite, "b"), 2 + in_b);
}

void check(Suite& suite, Case const& each)
{
    suite.directory("a");
    suite.directory("b");
    auto const target = each.to_directory + "/to";
    make(suite, each.from, "a/from", "aside-from");
    make(suite, each.to, target, "aside-to");
    auto const from_inode = suite.inode("a/from");
    auto const to_inode = suite.inode(target);
    auto const fault = suite.backend.rename(suite.at("a/from"), suite.at(target), each.mode);
    auto const right = wanted(each.from, each.to, each.mode);
    suite.same(each.name + ": the answer", fault, right);
    bool const done = right == Fault::none;
    bool const swapped = done && each.mode == RenameMode::exchange;
    suite.same(each.name + ": what has the old name", suite.inode("a/from"),
        swapped    ? to_inode
            : done ? 0
                   : from_inode);
    suite.same(
        each.name + ": what has the new name", suite.inode(target), done ? from_inode : to_inode);
    if (is_directory(each.from) || is_directory(each.to))
        check_parents(suite, each, done);
    if (each.to == Thing::file_with_names)
        suite.same(each.name + ": names of what was there", links_of(suite, "aside-to"),
            done && !swapped ? 1u : 2u);
    if (each.from == Thing::full_directory && done)
        suite.same(each.name + ": what is inside", suite.content(target + "/inner"), "content");
    if (is_directory(each.from) && done && each.to_directory == "b")
        suite.same(each.name + ": its parent", suite.inode(target + "/.."), suite.inode("b"));
    for (auto const* const name : { "a", "b", "aside-from", "aside-to" })
        suite.clear(name);
}

void check_matrix(Suite& suite)
{
    struct Mode {
        RenameMode mode;
        std::string name;
    };
    Mode const modes[] = { { RenameMode::replace, "rename" },
        { RenameMode::no_replace, "noreplace" }, { RenameMode::exchange, "exchange" } };
    for (auto const& mode : modes)
        for (auto const& from : things)
            for (auto const& to : things)
                for (std::string const directory : { "a", "b" })
                    check(suite,
                        { mode.name + " of " + from.name + " to " + to.name
                                + (directory == "a" ? ", same directory" : ", another directory"),
                            from.thing, to.thing, mode.mode, directory });
}

// Two names of one file, and a name to itself.
void check_same_file(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("one");
    suite.must("second name", backend.link(suite.at("one"), suite.at("two")));
    auto const rename = [&](char const* from, char const* to, RenameMode mode) {
        return backend.rename(suite.at(from), suite.at(to), mode);
    };
    suite.same(
        "onto another name of the file", rename("one", "two", RenameMode::replace), Fault::none);
    suite.same("both names stay", suite.status("one").links, 2);
    suite.same("onto itself", rename("one", "one", RenameMode::replace), Fault::none);
    suite.same("itself stays", suite.status("one").links, 2);
    suite.same(
        "noreplace onto another name", rename("one", "two", RenameMode::no_replace), Fault::exist);
    suite.same("noreplace onto itself", rename("one", "one", RenameMode::no_replace), Fault::exist);
    suite.same("exchange of two names", rename("one", "two", RenameMode::exchange), Fault::none);
    suite.same("exchange with itself", rename("one", "one", RenameMode::exchange), Fault::none);
    suite.same("content is the same", suite.content("two"), "content");
    suite.directory("d");
    suite.same("a directory onto itself", rename("d", "d", RenameMode::replace), Fault::none);
}

// A directory and what lies in it.
void check_ancestors(Suite& suite)
{
    suite.directory("top");
    suite.directory("top/mid");
    suite.directory("top/mid/low");
    suite.file("top/mid/file");
    struct Try {
        char const* from;
        char const* to;
        RenameMode mode;
        Fault wanted;
    };
    Try const tries[] = { { "top", "top/new", RenameMode::replace, Fault::inval },
        { "top", "top/mid/new", RenameMode::replace, Fault::inval },
        { "top", "top/mid", RenameMode::replace, Fault::inval },
        { "top", "top/mid/low", RenameMode::replace, Fault::inval },
        { "top", "top/mid/file", RenameMode::replace, Fault::inval },
        { "top/mid/low", "top/mid", RenameMode::replace, Fault::notempty },
        { "top/mid/low", "top", RenameMode::replace, Fault::notempty },
        { "top/mid/file", "top/mid", RenameMode::replace, Fault::notempty },
        { "top", "top/mid/low", RenameMode::exchange, Fault::inval },
        { "top/mid/low", "top", RenameMode::exchange, Fault::inval },
        { "top/mid/file", "top/mid", RenameMode::exchange, Fault::inval },
        { "top", "top/new", RenameMode::no_replace, Fault::inval },
        { "top/mid/low", "top/mid", RenameMode::no_replace, Fault::exist },
        { "top/mid/low", "top/low", RenameMode::no_replace, Fault::none } };
    for (auto const& each : tries) {
        auto const found = suite.backend.rename(suite.at(each.from), suite.at(each.to), each.mode);
        suite.same(std::string("ancestors, ") + each.from + " to " + each.to + ", mode "
                + std::to_string(static_cast<u32>(each.mode)),
            found, each.wanted);
    }
    suite.same("links of top", suite.status("top").links, 4);
    suite.same("links of mid", suite.status("top/mid").links, 2);
}

} // namespace

void check_renames(Suite& suite)
{
    suite.section("renames");
    suite.file("aim");
    suite.directory("aimdir");
    check_matrix(suite);
    suite.section("renames of one");
    check_same_file(suite);
    check_ancestors(suite);
}

} // namespace gemel::posix
