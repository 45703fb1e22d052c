// Files that are open and lose their last name: all goes on until they are closed.
#include "tests/posix/suite.hpp"

namespace gemel::posix {

namespace {

void use(Suite& suite, std::string const& how, int file)
{
    auto& backend = suite.backend;
    auto const status = backend.status(file);
    suite.same(how + ": status", status.fault, Fault::none);
    suite.same(how + ": no names", status.value.links, 0);
    suite.same(how + ": read", backend.read(file, 0, 100).value, "content");
    suite.same(how + ": write", backend.write(file, 7, " and more").value, 9);
    suite.same(how + ": what is there", backend.read(file, 0, 100).value, "content and more");
    suite.same(how + ": far write", backend.write(file, 100'000, "z").value, 1);
    suite.same(how + ": size", backend.status(file).value.size, 100'001);
    suite.same(how + ": resize", backend.resize(file, 3), Fault::none);
    suite.same(how + ": cut", backend.read(file, 0, 100).value, "con");
    suite.same(how + ": chmod", backend.set_attributes(file, mode_change(0600)), Fault::none);
    suite.same(how + ": mode", backend.status(file).value.mode, 0600);
    suite.same(how + ": chown", backend.set_attributes(file, owner_change(5, 6)), Fault::none);
    suite.same(how + ": owner", backend.status(file).value.uid, 5);
    suite.same(how + ": times", backend.set_attributes(file, time_change({ 0, 11 }, { 0, 12 })),
        Fault::none);
    suite.holds(how + ": time", backend.status(file).value.modified == FileTime { 0, 12 });
    suite.same(
        how + ": allocate", backend.allocate(file, AllocateKind::grow, 0, 10'000), Fault::none);
    suite.same(how + ": grown", backend.status(file).value.size, 10'000);
    suite.same(how + ": punch", backend.allocate(file, AllocateKind::punch, 0, 4096), Fault::none);
    suite.same(how + ": sync", backend.sync(file), Fault::none);
    suite.same(how + ": zeros", backend.read(file, 0, 3).value, std::string(3, '\0'));
    suite.same(how + ": close", backend.close(file), Fault::none);
}

} // namespace

void check_nameless(Suite& suite)
{
    auto& backend = suite.backend;
    auto const flags = OpenFlag::read | OpenFlag::write;
    suite.section("nameless");
    suite.file("f");
    auto file = backend.open(suite.at("f"), flags, 0).value;
    suite.same("unlink", backend.remove(suite.at("f"), RemoveKind::file), Fault::none);
    suite.same(
        "the name is gone", backend.status(suite.at("f"), LastLink::keep).fault, Fault::noent);
    use(suite, "unlinked", file);

    suite.file("g");
    suite.file("over", "the other");
    file = backend.open(suite.at("g"), flags, 0).value;
    suite.same("rename over it",
        backend.rename(suite.at("over"), suite.at("g"), RenameMode::replace), Fault::none);
    use(suite, "replaced", file);
    suite.same("the new one", suite.content("g"), "the other");

    suite.file("h");
    file = backend.open(suite.at("h"), flags, 0).value;
    suite.must("unlink", backend.remove(suite.at("h"), RemoveKind::file));
    suite.file("h", "a new file");
    use(suite, "beside a new file", file);
    suite.same("the new file", suite.content("h"), "a new file");

    suite.file("i");
    file = backend.open(suite.at("i"), flags, 0).value;
    suite.must("link", backend.link(suite.at("i"), suite.at("i2")));
    suite.must("unlink", backend.remove(suite.at("i"), RemoveKind::file));
    suite.same("one name is left", backend.status(file).value.links, 1);
    suite.must("rename", backend.rename(suite.at("i2"), suite.at("i3"), RenameMode::replace));
    suite.same("open while it moves", backend.write(file, 0, "C").value, 1);
    suite.same("under its new name", suite.content("i3"), "Content");
    suite.must("close", backend.close(file));

    suite.directory("d");
    file = backend.open(suite.at("d"), static_cast<OpenFlags>(OpenFlag::read), 0).value;
    suite.same("rmdir of an open directory", backend.remove(suite.at("d"), RemoveKind::directory),
        Fault::none);
    suite.same("its status", backend.status(file).fault, Fault::none);
    suite.same("it counts nothing", backend.status(file).value.links, 0);
    suite.must("close", backend.close(file));
}

} // namespace gemel::posix
