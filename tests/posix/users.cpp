// Who may do what: modes of files and directories for the owner, a member of the group by either of
// its ways, somebody else and root; the sticky bit; owners, times and attributes of others' files;
// what becomes of the bits that lend an identity.
#include "tests/posix/suite.hpp"

#include <functional>

namespace gemel::posix {

namespace {

constexpr u32 owner_id = 1000;
constexpr u32 group_id = 2000;
struct Actor {
    std::string name;
    User user;
    u32 shift; // where its class stands in a mode; root: none
};
Actor const root { "root", { 0, 0, {} }, 99 };
Actor const owner { "the owner", { owner_id, group_id, {} }, 6 };
Actor const member { "a member", { 1001, group_id, {} }, 3 };
Actor const second_member { "a member by a further group", { 1002, 3000, { 77, group_id } }, 3 };
Actor const stranger { "a stranger", { 1003, 3000, { 78 } }, 0 };
Actor const* const actors[] = { &root, &owner, &member, &second_member, &stranger };

class As {
public:
    As(Suite& suite, Actor const& actor)
        : suite_(suite)
    {
        suite.backend.act_as(actor.user);
    }
    As(As const&) = delete;
    As& operator=(As const&) = delete;
    ~As() { suite_.backend.act_as(root.user); }

private:
    Suite& suite_;
};

Fault as(Suite& suite, Actor const& actor, std::function<Fault()> const& work)
{
    As const acting(suite, actor);
    return work();
}

u32 bits_of(Actor const& actor, u16 mode)
{
    return actor.shift > 6 ? 7 : mode >> actor.shift & 7;
}

void give(Suite& suite, std::string const& name, Actor const& to, u16 mode)
{
    suite.must("chown",
        suite.backend.set_attributes(
            suite.at(name), owner_change(to.user.uid, to.user.gid), LastLink::keep));
    suite.must(
        "chmod", suite.backend.set_attributes(suite.at(name), mode_change(mode), LastLink::follow));
}

// A class has these bits, the others the opposite.
u16 mode_with(u32 shift, u32 bits, u32 all)
{
    u32 mode = 0;
    for (u32 const each : { 0, 3, 6 })
        mode |= (each == shift ? bits : all & ~bits) << each;
    return static_cast<u16>(mode);
}

void check_files(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("f");
    auto const path = suite.at("f");
    for (u32 const shift : { 6, 3, 0 }) {
        for (u32 const bits : { 0, 2, 4, 6 }) {
            auto const mode = mode_with(shift, bits, 6);
            give(suite, "f", owner, mode);
            for (auto const* const actor : actors) {
                auto const name = actor->name + ", mode " + std::to_string(mode);
                auto const may = bits_of(*actor, mode);
                auto const wanted = [&](u32 needed) {
                    return (may & needed) == needed ? Fault::none : Fault::acces;
                };
                auto const open = [&](OpenFlags flags) {
                    return as(suite, *actor, [&] { return suite.open_and_close(path, flags); });
                };
                suite.same(
                    "read by " + name, open(static_cast<OpenFlags>(OpenFlag::read)), wanted(4));
                suite.same(
                    "write by " + name, open(static_cast<OpenFlags>(OpenFlag::write)), wanted(2));
                suite.same("both by " + name, open(OpenFlag::read | OpenFlag::write), wanted(6));
                suite.same("cut by " + name, open(OpenFlag::write | OpenFlag::truncate), wanted(2));
                suite.same("resize by " + name,
                    as(suite, *actor, [&] { return backend.resize(path, 5); }), wanted(2));
                suite.same("stat by " + name,
                    as(suite, *actor, [&] { return backend.status(path, LastLink::keep).fault; }),
                    Fault::none);
                suite.same("times to now by " + name,
                    as(suite, *actor,
                        [&] {
                            return backend.set_attributes(
                                path, time_change_now(), LastLink::follow);
                        }),
                    actor == &owner ? Fault::none : wanted(2));
                suite.same("set attribute by " + name,
                    as(suite, *actor,
                        [&] {
                            return backend.set_extended(path, "user.a", "1", ExtendedMode::set);
                        }),
                    wanted(2));
                suite.same("get attribute by " + name,
                    as(suite, *actor,
                        [&] { return backend.get_extended(path, "user.none").fault; }),
                    (may & 4) != 0 ? Fault::nodata : Fault::acces);
            }
        }
    }
}

struct InDirectory {
    char const* name;
    u32 needed; // bits of the directory
    std::function<Fault(Suite&)> work;
};

std::vector<InDirectory> const& works()
{
    static std::vector<InDirectory> const all {
        { "stat", 1,
            [](Suite& s) { return s.backend.status(s.at("d/in"), LastLink::keep).fault; } },
        { "open", 1,
            [](Suite& s) {
                return s.open_and_close(s.at("d/in"), static_cast<OpenFlags>(OpenFlag::read));
            } },
        { "list", 4, [](Suite& s) { return s.backend.list(s.at("d")).fault; } },
        { "create", 3,
            [](Suite& s) {
                return s.open_and_close(s.at("d/new"), OpenFlag::write | OpenFlag::create);
            } },
        { "mkdir", 3, [](Suite& s) { return s.backend.make_directory(s.at("d/new"), 0755); } },
        { "symlink", 3, [](Suite& s) { return s.backend.symlink("x", s.at("d/new")); } },
        { "mkfifo", 3,
            [](Suite& s) { return s.backend.make_node(s.at("d/new"), FileKind::pipe, 0644, 0); } },
        { "link", 3, [](Suite& s) { return s.backend.link(s.at("free/aim"), s.at("d/new")); } },
        { "rename in", 3,
            [](Suite& s) {
                return s.backend.rename(s.at("free/mover"), s.at("d/new"), RenameMode::replace);
            } },
        { "rename out", 3,
            [](Suite& s) {
                return s.backend.rename(s.at("d/in"), s.at("free/out"), RenameMode::replace);
            } },
        { "unlink", 3, [](Suite& s) { return s.backend.remove(s.at("d/in"), RemoveKind::file); } },
        { "rmdir", 3,
            [](Suite& s) { return s.backend.remove(s.at("d/sub"), RemoveKind::directory); } },
        { "down", 1, [](Suite& s) { return s.backend.list(s.at("d/sub")).fault; } }
    };
    return all;
}

void set_scene(Suite& suite, u16 mode)
{
    suite.directory("d");
    suite.file("d/in", "x", 0666);
    suite.directory("d/sub", 0777);
    suite.directory("free", 0777);
    suite.file("free/aim", "x", 0666);
    suite.file("free/mover", "x", 0666);
    give(suite, "d", owner, mode);
}

void check_directories(Suite& suite)
{
    set_scene(suite, 0777);
    for (u32 const shift : { 6, 3, 0 }) {
        for (u32 bits = 0; bits < 8; ++bits) {
            auto const mode = mode_with(shift, bits, 7);
            give(suite, "d", owner, mode);
            for (auto const* const actor : actors) {
                for (auto const& work : works()) {
                    auto const found = as(suite, *actor, [&] { return work.work(suite); });
                    bool const may = (bits_of(*actor, mode) & work.needed) == work.needed;
                    suite.same(std::string(work.name) + " by " + actor->name
                            + ", mode of the directory " + std::to_string(mode),
                        found, may ? Fault::none : Fault::acces);
                    if (found == Fault::none && work.needed == 3) {
                        suite.clear("d");
                        suite.clear("free");
                        set_scene(suite, mode);
                    }
                }
            }
        }
    }
    suite.clear("d");
    suite.clear("free");
}

// In a directory with the sticky bit a file goes only by its owner, the directory's, or root.
void check_sticky(Suite& suite)
{
    auto& backend = suite.backend;
    for (auto const* const holder : actors) {
        for (auto const* const actor : actors) {
            auto const name = holder->name + "'s file by " + actor->name;
            suite.directory("s");
            give(suite, "s", owner, 01777);
            suite.directory("free", 0777);
            for (std::string const file :
                { "s/gone", "s/moved", "s/covered", "s/dir", "s/swapped" }) {
                if (file == "s/dir")
                    suite.directory(file);
                else
                    suite.file(file, "x", 0666);
                give(suite, file, *holder, 0777);
            }
            suite.file("free/over", "x", 0666);
            give(suite, "free/over", *actor, 0666);
            suite.file("free/swap", "x", 0666);
            give(suite, "free/swap", *actor, 0666);
            bool const may = actor == &root || actor == &owner || actor == holder;
            auto const wanted = may ? Fault::none : Fault::perm;
            auto const rename = [&](char const* from, char const* to, RenameMode mode) {
                return as(suite, *actor,
                    [&] { return backend.rename(suite.at(from), suite.at(to), mode); });
            };
            suite.same("unlink of " + name,
                as(suite, *actor,
                    [&] { return backend.remove(suite.at("s/gone"), RemoveKind::file); }),
                wanted);
            suite.same(
                "rename of " + name, rename("s/moved", "free/out", RenameMode::replace), wanted);
            suite.same("rename over " + name, rename("free/over", "s/covered", RenameMode::replace),
                wanted);
            suite.same("exchange with " + name,
                rename("free/swap", "s/swapped", RenameMode::exchange), wanted);
            suite.same("rmdir beside " + name,
                as(suite, *actor,
                    [&] { return backend.remove(suite.at("s/dir"), RemoveKind::directory); }),
                wanted);
            suite.clear("s");
            suite.clear("free");
        }
    }
}

// Mode, owner and times belong to the owner.
void check_ownership(Suite& suite)
{
    auto& backend = suite.backend;
    for (auto const* const actor : actors) {
        suite.file("o", "x", 0666);
        give(suite, "o", owner, 0666);
        auto const path = suite.at("o");
        bool const own = actor == &owner || actor == &root;
        auto const right = own ? Fault::none : Fault::perm;
        auto const set = [&](FileAttributes const& change) {
            return as(suite, *actor,
                [&] { return backend.set_attributes(path, change, LastLink::follow); });
        };
        suite.same("chmod by " + actor->name, set(mode_change(0646)), right);
        suite.same("mode then, " + actor->name, suite.status("o").mode, own ? 0646 : 0666);
        suite.same("times by " + actor->name, set(time_change({ 0, 1 }, { 0, 2 })), right);
        suite.same("times to now by " + actor->name, set(time_change_now()),
            Fault::none); // the mode stays 0666 for whom it counts
        suite.same("chown by " + actor->name, set(owner_change(actor->user.uid, actor->user.gid)),
            own ? Fault::none : Fault::perm);
        give(suite, "o", owner, 0666);
        suite.same("chown to another by " + actor->name, set(owner_change(4242, group_id)),
            actor == &root ? Fault::none : Fault::perm);
        give(suite, "o", owner, 0666);
        suite.same("foreign group by " + actor->name, set(owner_change(owner_id, 4242)),
            actor == &root ? Fault::none : Fault::perm);
        suite.same("trusted attribute by " + actor->name,
            as(suite, *actor,
                [&] { return backend.set_extended(path, "trusted.a", "1", ExtendedMode::set); }),
            actor == &root ? Fault::none : Fault::perm);
        suite.clear("o");
    }
    suite.file("groups");
    give(suite, "groups", stranger, 0644);
    suite.same("the owner's further group",
        as(suite, stranger,
            [&] {
                return backend.set_attributes(
                    suite.at("groups"), owner_change(stranger.user.uid, 78), LastLink::follow);
            }),
        Fault::none);
    suite.same("it has it", suite.status("groups").gid, 78);
}

// What is made belongs to who made it.
void check_makers(Suite& suite)
{
    auto& backend = suite.backend;
    suite.directory("open", 0777);
    for (auto const* const actor : actors) {
        {
            As const acting(suite, *actor);
            suite.same("create by " + actor->name,
                suite.open_and_close(suite.at("open/f"), OpenFlag::write | OpenFlag::create),
                Fault::none);
            suite.same("mkdir by " + actor->name, backend.make_directory(suite.at("open/d"), 0755),
                Fault::none);
            suite.same(
                "symlink by " + actor->name, backend.symlink("x", suite.at("open/l")), Fault::none);
            suite.same("mkfifo by " + actor->name,
                backend.make_node(suite.at("open/p"), FileKind::pipe, 0644, 0), Fault::none);
            suite.same("device by " + actor->name,
                backend.make_node(
                    suite.at("open/c"), FileKind::character_device, 0644, u64 { 1 } << 32 | 3),
                actor == &root ? Fault::none : Fault::perm);
        }
        for (std::string const name : { "f", "d", "l", "p" }) {
            auto const found = suite.status("open/" + name);
            suite.same("uid of " + name + " by " + actor->name, found.uid, actor->user.uid);
            suite.same("gid of " + name + " by " + actor->name, found.gid, actor->user.gid);
        }
        // The mode of a file that is made does not bind who makes it.
        As const acting(suite, *actor);
        auto const made = backend.open(
            suite.at("open/shut"), OpenFlag::write | OpenFlag::create | OpenFlag::exclusive, 0);
        suite.same("create without rights by " + actor->name, made.fault, Fault::none);
        suite.same("and write by " + actor->name, backend.write(made.value, 0, "x").value, 1);
        suite.must("close", backend.close(made.value));
        backend.act_as(root.user);
        for (std::string const name : { "f", "d", "l", "p", "c", "shut" })
            suite.clear("open/" + name);
    }
}

constexpr u16 lending_modes[] = { 04777, 02777, 06777, 06767, 02767, 04666, 06666 };

// What is left of a mode. Without the group's execute bit the second one means another thing: only
// who is not in the group loses it.
u16 without_set_bits(u16 mode, bool in_group)
{
    bool const loses = !in_group || (mode & 010) != 0;
    return static_cast<u16>(mode & ~04000 & (loses ? ~02000 : ~0));
}

// The bits that lend an identity go when somebody but root changes the content.
void check_set_bits(Suite& suite, u16 mode, Actor const& actor)
{
    auto& backend = suite.backend;
    auto const name = std::to_string(mode) + " by " + actor.name;
    auto const left
        = actor.shift > 6 ? mode : without_set_bits(mode, actor.shift != stranger.shift);
    bool const hosts_choice = actor.shift == stranger.shift && backend.is_fuse()
        && without_set_bits(mode, true) != left;
    suite.file("b", "content", 0777);
    give(suite, "b", owner, mode);
    suite.same("as given, " + name, suite.status("b").mode, mode);
    auto const write = [&] {
        auto const file = backend.open(suite.at("b"), static_cast<OpenFlags>(OpenFlag::write), 0);
        suite.must("open", file.fault);
        suite.same("opening keeps, " + name, backend.status(file.value).value.mode, mode);
        suite.must("write", backend.write(file.value, 0, "x").fault);
        return backend.close(file.value);
    };
    suite.must("writing", as(suite, actor, write));
    auto const written = suite.status("b").mode;
    give(suite, "b", owner, mode);
    suite.must("resize", as(suite, actor, [&] { return backend.resize(suite.at("b"), 3); }));
    auto const cut = suite.status("b").mode;
    suite.clear("b");
    if (hosts_choice)
        return suite.left_out(2);
    suite.same("after a write, " + name, written, left);
    suite.same("after a resize, " + name, cut, left);
}

void check_group_bit(Suite& suite)
{
    suite.file("g", "x", 0755);
    give(suite, "g", stranger, 0755);
    auto const chown = owner_change(stranger.user.uid, group_id);
    suite.must("chgrp", suite.backend.set_attributes(suite.at("g"), chown, LastLink::follow));
    auto const chmod = [&] {
        return suite.backend.set_attributes(suite.at("g"), mode_change(02755), LastLink::follow);
    };
    suite.same("chmod by who is not in the group", as(suite, stranger, chmod), Fault::none);
    suite.same("has not the group's bit", suite.status("g").mode, 0755);
}

// They go with the owner, too, whoever gives the file away.
void check_given_away(Suite& suite)
{
    auto& backend = suite.backend;
    for (auto const mode : lending_modes) {
        suite.file("b", "content", 0777);
        give(suite, "b", owner, mode);
        suite.must("chown",
            backend.set_attributes(
                suite.at("b"), owner_change(owner_id, group_id), LastLink::follow));
        suite.same("after a chown, " + std::to_string(mode), suite.status("b").mode,
            without_set_bits(mode, true));
        suite.clear("b");
    }
    suite.directory("d", 0755);
    give(suite, "d", owner, 06755);
    suite.must("chown",
        backend.set_attributes(suite.at("d"), owner_change(owner_id, 4000), LastLink::follow));
    suite.same("a directory keeps its bits", suite.status("d").mode, 06755);
}

constexpr usize user_checks = 2484; // all of what follows

} // namespace

void check_users(Suite& suite)
{
    suite.section("given away");
    check_given_away(suite);
    if (!suite.backend.knows_users())
        return suite.left_out(user_checks);
    auto const before = suite.checked();
    suite.section("users, files");
    check_files(suite);
    suite.section("users, directories");
    check_directories(suite);
    suite.section("sticky");
    check_sticky(suite);
    suite.section("ownership");
    check_ownership(suite);
    suite.section("makers");
    check_makers(suite);
    suite.section("set bits");
    for (auto const mode : lending_modes)
        for (auto const* const actor : actors)
            check_set_bits(suite, mode, *actor);
    check_group_bit(suite);
    suite.same(
        "checks that need users, where there are none", suite.checked() - before, user_checks);
}

} // namespace gemel::posix
