// Extended attributes: values of many sizes, the modes of setting one, lists, what refuses.
#include "tests/posix/suite.hpp"

#include <algorithm>

namespace gemel::posix {

namespace {

void check_values(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("f");
    auto const path = suite.at("f");
    for (usize const bytes : { 0, 1, 3, 4, 20, 40, 60, 90, 100, 200, 500, 1000, 2000, 3000 }) {
        auto const text = std::to_string(bytes);
        std::string const value(bytes, 'v');
        suite.same("set, " + text, backend.set_extended(path, "user.v", value, ExtendedMode::set),
            Fault::none);
        suite.same("get, " + text, backend.get_extended(path, "user.v").value, value);
        suite.same("alone in the list, " + text, backend.list_extended(path).value.size(), 1);
    }
    suite.same("smaller again", backend.set_extended(path, "user.v", "small", ExtendedMode::set),
        Fault::none);
    suite.same("it is small", backend.get_extended(path, "user.v").value, "small");
    suite.same("larger than a block",
        backend.set_extended(path, "user.v", std::string(5000, 'x'), ExtendedMode::set),
        Fault::nospc);
    suite.same("as it was", backend.get_extended(path, "user.v").value, "small");
    suite.same("over 64 KiB",
        backend.set_extended(path, "user.v", std::string(65'537, 'x'), ExtendedMode::set),
        Fault::toobig);
    suite.same("create what is there",
        backend.set_extended(path, "user.v", "n", ExtendedMode::create), Fault::exist);
    suite.same("replace it", backend.set_extended(path, "user.v", "new", ExtendedMode::replace),
        Fault::none);
    suite.same("replaced", backend.get_extended(path, "user.v").value, "new");
    suite.same("replace what is not there",
        backend.set_extended(path, "user.w", "n", ExtendedMode::replace), Fault::nodata);
    suite.same(
        "create it", backend.set_extended(path, "user.w", "w", ExtendedMode::create), Fault::none);
    suite.same("remove one", backend.remove_extended(path, "user.v"), Fault::none);
    suite.same("it is gone", backend.get_extended(path, "user.v").fault, Fault::nodata);
    suite.same("remove it again", backend.remove_extended(path, "user.v"), Fault::nodata);
    suite.same("the other stays", backend.get_extended(path, "user.w").value, "w");
    suite.same("content stays", suite.content("f"), "content");
}

void check_many(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("many");
    auto const path = suite.at("many");
    for (u32 each = 0; each < 30; ++each)
        suite.same("attribute " + std::to_string(each),
            backend.set_extended(path, "user.number-" + std::to_string(each),
                "value " + std::to_string(each), ExtendedMode::set),
            Fault::none);
    auto const names = backend.list_extended(path).value;
    suite.same("all are listed", names.size(), 30);
    for (u32 each = 0; each < 30; ++each) {
        auto const name = "user.number-" + std::to_string(each);
        suite.holds("listed " + std::to_string(each),
            std::find(names.begin(), names.end(), name) != names.end());
        suite.same("value " + std::to_string(each), backend.get_extended(path, name).value,
            "value " + std::to_string(each));
    }
    for (u32 each = 0; each < 30; ++each)
        suite.same("removed " + std::to_string(each),
            backend.remove_extended(path, "user.number-" + std::to_string(each)), Fault::none);
    suite.same("none is left", backend.list_extended(path).value.size(), 0);
}

void check_spaces_of_names(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("names");
    auto const path = suite.at("names");
    auto const set = [&](std::string const& name) {
        return backend.set_extended(path, name, "x", ExtendedMode::set);
    };
    suite.same("255 bytes", set("user." + std::string(250, 'n')), Fault::none);
    suite.same("its value", backend.get_extended(path, "user." + std::string(250, 'n')).value, "x");
    suite.same("256 bytes", set("user." + std::string(251, 'n')), Fault::range);
    suite.same("no name", set(""), Fault::range);
    suite.same("no name space", set("plain"), Fault::opnotsupp);
    suite.same("an unknown name space", set("other.x"), Fault::opnotsupp);
    suite.same("only a name space", set("user."), Fault::inval);
    suite.same("trusted", set("trusted.x"), Fault::none);
    suite.same("its value, trusted", backend.get_extended(path, "trusted.x").value, "x");
    suite.same("security", set("security.x"), Fault::none);
    suite.same("its value, security", backend.get_extended(path, "security.x").value, "x");
}

void check_kinds(Suite& suite)
{
    auto& backend = suite.backend;
    suite.directory("dir");
    suite.must("pipe", backend.make_node(suite.at("pipe"), FileKind::pipe, 0644, 0));
    suite.must("link", backend.symlink("dir", suite.at("link")));
    auto const set = [&](char const* file, char const* name) {
        return backend.set_extended(suite.at(file), name, "x", ExtendedMode::set);
    };
    suite.same("user of a directory", set("dir", "user.a"), Fault::none);
    suite.same("through a link", backend.get_extended(suite.at("link"), "user.a").value, "x");
    suite.same("user of a pipe", set("pipe", "user.a"), Fault::perm);
    suite.same("trusted of a pipe", set("pipe", "trusted.a"), Fault::none);
    suite.same(
        "its value, of a pipe", backend.get_extended(suite.at("pipe"), "trusted.a").value, "x");
    suite.same("rename keeps them",
        backend.rename(suite.at("dir"), suite.at("dir2"), RenameMode::replace), Fault::none);
    suite.same("kept", backend.get_extended(suite.at("dir2"), "user.a").value, "x");
}

} // namespace

void check_extended(Suite& suite)
{
    suite.section("extended attributes");
    check_values(suite);
    check_many(suite);
    check_spaces_of_names(suite);
    check_kinds(suite);
}

} // namespace gemel::posix
