// Which times each operation moves, of the thing itself and of the directory around it, and times
// that are set.
#include "tests/posix/suite.hpp"

#include <functional>

namespace gemel::posix {

namespace {

struct Moves {
    bool thing_modified;
    bool thing_changed;
    bool parent_modified;
    bool parent_changed;
};

struct Seen {
    FileStatus thing;
    FileStatus parent;
};

// Runs `work`, and holds which times of `thing` and of "d" it moved. `thing` may be new: then only
// its parent is looked at.
void check(Suite& suite, std::string const& name, std::string const& before,
    std::string const& after, Moves const& wanted, std::function<Fault()> const& work)
{
    Seen const old { suite.backend.status(suite.at(before), LastLink::keep).value,
        suite.status("d") };
    suite.backend.pause();
    suite.same(name, work(), Fault::none);
    Seen const now { suite.backend.status(suite.at(after), LastLink::keep).value,
        suite.status("d") };
    suite.holds(name + ": the thing's modification",
        (old.thing.modified < now.thing.modified) == wanted.thing_modified);
    suite.holds(name + ": the thing's change",
        (old.thing.changed < now.thing.changed) == wanted.thing_changed);
    suite.holds(name + ": the parent's modification",
        (old.parent.modified < now.parent.modified) == wanted.parent_modified);
    suite.holds(name + ": the parent's change",
        (old.parent.changed < now.parent.changed) == wanted.parent_changed);
}

constexpr Moves nothing {};
constexpr Moves itself { true, true, false, false };
constexpr Moves its_change { false, true, false, false };
constexpr Moves change_and_parent { false, true, true, true };
constexpr Moves parent { false, false, true, true };
constexpr Moves all { true, true, true, true };

void check_names_of(Suite& suite)
{
    auto& backend = suite.backend;
    auto const at = [&](char const* name) { return suite.at(name); };
    check(suite, "create", "d/new", "d/new", all,
        [&] { return suite.open_and_close(at("d/new"), OpenFlag::write | OpenFlag::create); });
    check(suite, "mkdir", "d/newdir", "d/newdir", all,
        [&] { return backend.make_directory(at("d/newdir"), 0755); });
    check(suite, "symlink", "d/newlink", "d/newlink", all,
        [&] { return backend.symlink("x", at("d/newlink")); });
    check(suite, "mkfifo", "d/newpipe", "d/newpipe", all,
        [&] { return backend.make_node(at("d/newpipe"), FileKind::pipe, 0644, 0); });
    check(suite, "link", "d/f", "d/f", change_and_parent,
        [&] { return backend.link(at("d/f"), at("d/second")); });
    check(suite, "unlink of one name", "d/f", "d/f", change_and_parent,
        [&] { return backend.remove(at("d/second"), RemoveKind::file); });
    check(suite, "rename", "d/f", "d/g", change_and_parent,
        [&] { return backend.rename(at("d/f"), at("d/g"), RenameMode::replace); });
    check(suite, "rename back", "d/g", "d/f", change_and_parent,
        [&] { return backend.rename(at("d/g"), at("d/f"), RenameMode::no_replace); });
    check(suite, "rename of a directory", "d/newdir", "d/dir2", change_and_parent,
        [&] { return backend.rename(at("d/newdir"), at("d/dir2"), RenameMode::replace); });
    check(suite, "exchange", "d/f", "d/newpipe", change_and_parent,
        [&] { return backend.rename(at("d/f"), at("d/newpipe"), RenameMode::exchange); });
    check(suite, "exchange back", "d/newpipe", "d/f", change_and_parent,
        [&] { return backend.rename(at("d/f"), at("d/newpipe"), RenameMode::exchange); });
    check(suite, "rename out", "d/f", "f", change_and_parent,
        [&] { return backend.rename(at("d/f"), at("f"), RenameMode::replace); });
    check(suite, "rename in", "f", "d/f", change_and_parent,
        [&] { return backend.rename(at("f"), at("d/f"), RenameMode::replace); });
    check(suite, "rmdir", "d/f", "d/f", parent,
        [&] { return backend.remove(at("d/dir2"), RemoveKind::directory); });
    check(suite, "unlink", "d/f", "d/f", parent,
        [&] { return backend.remove(at("d/newlink"), RemoveKind::file); });
    check(suite, "refused mkdir", "d/f", "d/f", nothing, [&] {
        return backend.make_directory(at("d/f"), 0755) == Fault::exist ? Fault::none : Fault::other;
    });
    check(suite, "refused rename", "d/f", "d/f", nothing, [&] {
        return backend.rename(at("d/f"), at("d/new"), RenameMode::no_replace) == Fault::exist
            ? Fault::none
            : Fault::other;
    });
}

void check_files(Suite& suite)
{
    auto& backend = suite.backend;
    auto const path = suite.at("d/f");
    auto const file = backend.open(path, OpenFlag::read | OpenFlag::write, 0).value;
    auto const on
        = [&](std::string const& name, Moves const& moves, std::function<Fault()> const& work) {
              check(suite, name, "d/f", "d/f", moves, work);
          };
    on("write", itself, [&] { return backend.write(file, 0, "new").fault; });
    on("write behind the end", itself, [&] { return backend.write(file, 10'000, "new").fault; });
    on("read", nothing, [&] { return backend.read(file, 0, 10).fault; });
    on("write of no bytes", nothing, [&] { return backend.write(file, 0, "").fault; });
    on("cut", itself, [&] { return backend.resize(file, 5); });
    on("growth", itself, [&] { return backend.resize(file, 5000); });
    on("cut by name", itself, [&] { return backend.resize(path, 7); });
    on("opening", nothing,
        [&] { return suite.open_and_close(path, static_cast<OpenFlags>(OpenFlag::read)); });
    on("opening to write", nothing,
        [&] { return suite.open_and_close(path, static_cast<OpenFlags>(OpenFlag::write)); });
    on("opening to cut", itself,
        [&] { return suite.open_and_close(path, OpenFlag::write | OpenFlag::truncate); });
    on("chmod", its_change,
        [&] { return backend.set_attributes(path, mode_change(0600), LastLink::follow); });
    on("chmod to the same", its_change,
        [&] { return backend.set_attributes(path, mode_change(0600), LastLink::follow); });
    on("fchmod", its_change, [&] { return backend.set_attributes(file, mode_change(0644)); });
    on("chown", its_change,
        [&] { return backend.set_attributes(path, owner_change(0, 0), LastLink::follow); });
    on("setxattr", its_change,
        [&] { return backend.set_extended(path, "user.a", "1", ExtendedMode::set); });
    on("getxattr", nothing, [&] { return backend.get_extended(path, "user.a").fault; });
    on("removexattr", its_change, [&] { return backend.remove_extended(path, "user.a"); });
    on("allocate", itself, [&] { return backend.allocate(file, AllocateKind::grow, 0, 5000); });
    on("punch", itself, [&] { return backend.allocate(file, AllocateKind::punch, 0, 4096); });
    on("zero", itself, [&] { return backend.allocate(file, AllocateKind::zero, 0, 4096); });
    on("sync", nothing, [&] { return backend.sync(file); });
    on("stat", nothing, [&] { return backend.status(file).fault; });
    on("utimens to now", itself,
        [&] { return backend.set_attributes(path, time_change_now(), LastLink::follow); });
    suite.must("close", backend.close(file));
}

// 34 bits of seconds from 1901 on, and nanoseconds. What lies outside is the nearest one, without
// nanoseconds.
constexpr i64 first_second = -2'147'483'648;
constexpr i64 last_second = 15'032'385'535;

FileTime kept(FileTime time)
{
    if (time.seconds <= first_second)
        return { first_second, 0 };
    return time.seconds >= last_second ? FileTime { last_second, 0 } : time;
}

void check_set(Suite& suite)
{
    constexpr FileTime moments[] = { {}, { 0, 1 }, { 0, 999'999'999 }, { 1, 0 },
        { 1'234'567'890, 123'456'789 }, { -1, 999'999'999 }, { -1, 0 }, { -2, 999'999'999 },
        { -1'000'000'000, 5 }, { 2'147'483'647, 0 }, { 2'147'483'648, 7 }, { 4'294'967'296, 0 },
        { 5'000'000'000, 999'999'999 }, { 10'413'792'000, 1 }, { last_second - 1, 999'999'999 },
        { last_second, 5 }, { last_second + 1, 5 }, { first_second + 1, 9 }, { first_second, 9 },
        { -2'208'988'800, 9 }, { 30'000'000'000, 0 } };
    for (auto const moment : moments) {
        auto const text = std::to_string(moment.seconds) + "." + std::to_string(moment.nanoseconds);
        FileTime const other { moment.seconds / 2 + 3, moment.nanoseconds };
        suite.same("both times, " + text,
            suite.backend.set_attributes(
                suite.at("d/f"), time_change(moment, other), LastLink::follow),
            Fault::none);
        auto const found = suite.status("d/f");
        suite.holds("access, " + text, found.accessed == kept(moment));
        suite.holds("modification, " + text, found.modified == kept(other));
        FileAttributes only { .modified = moment };
        only.add(AttributeChange::modified);
        suite.same("one time, " + text,
            suite.backend.set_attributes(suite.at("d/f"), only, LastLink::follow), Fault::none);
        auto const then = suite.status("d/f");
        suite.holds("access stays, " + text, then.accessed == kept(moment));
        suite.holds("modification alone, " + text, then.modified == kept(moment));
    }
    suite.must("link", suite.backend.symlink("f", suite.at("d/l")));
    suite.same("times of a link",
        suite.backend.set_attributes(
            suite.at("d/l"), time_change({ 0, 77 }, { 0, 78 }), LastLink::keep),
        Fault::none);
    suite.holds("the link has them", suite.status("d/l").modified == FileTime { 0, 78 });
    suite.holds("its file has not", suite.status("d/f").modified != FileTime { 0, 78 });
    suite.same("times through a link",
        suite.backend.set_attributes(
            suite.at("d/l"), time_change({ 0, 87 }, { 0, 88 }), LastLink::follow),
        Fault::none);
    suite.holds("the file has them", suite.status("d/f").modified == FileTime { 0, 88 });
    suite.holds("the link has its own", suite.status("d/l").modified == FileTime { 0, 78 });
}

} // namespace

void check_times(Suite& suite)
{
    suite.section("times");
    suite.directory("d");
    suite.file("d/f");
    check_names_of(suite);
    check_files(suite);
    check_set(suite);
}

} // namespace gemel::posix
