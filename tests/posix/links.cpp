// Hard links: what they share, and what is counted, of files and of directories.
#include "tests/posix/suite.hpp"

namespace gemel::posix {

namespace {

void check_counts(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("f");
    auto const inode = suite.inode("f");
    for (u32 count = 2; count <= 40; ++count) {
        auto const name = "name-" + std::to_string(count);
        suite.same("link " + std::to_string(count), backend.link(suite.at("f"), suite.at(name)),
            Fault::none);
        suite.same("count " + std::to_string(count), suite.status(name).links, count);
        suite.same("one inode " + std::to_string(count), suite.inode(name), inode);
    }
    suite.same(
        "link onto what is there", backend.link(suite.at("f"), suite.at("name-2")), Fault::exist);
    suite.must("a write", backend.resize(suite.at("name-7"), 3));
    suite.same("seen under each name", suite.content("name-9"), "con");
    suite.must(
        "a mode", backend.set_attributes(suite.at("name-3"), mode_change(0606), LastLink::follow));
    suite.same("also the mode", suite.status("f").mode, 0606);
    for (u32 count = 40; count >= 2; --count) {
        suite.must(
            "unlink", backend.remove(suite.at("name-" + std::to_string(count)), RemoveKind::file));
        suite.same("count down " + std::to_string(count), suite.status("f").links, count - 1);
    }
}

// Everything but a directory may have several names.
void check_kinds(Suite& suite)
{
    auto& backend = suite.backend;
    suite.directory("dir");
    suite.must("symlink", backend.symlink("f", suite.at("symlink")));
    suite.must("dangling", backend.symlink("nowhere", suite.at("dangling")));
    suite.must("pipe", backend.make_node(suite.at("pipe"), FileKind::pipe, 0644, 0));
    suite.must("socket", backend.make_node(suite.at("socket"), FileKind::socket, 0644, 0));
    suite.must("device",
        backend.make_node(suite.at("device"), FileKind::block_device, 0644, u64 { 8 } << 32 | 3));
    suite.same(
        "link of a directory", backend.link(suite.at("dir"), suite.at("again-dir")), Fault::perm);
    for (std::string const name : { "symlink", "dangling", "pipe", "socket", "device" }) {
        suite.same("link of a " + name, backend.link(suite.at(name), suite.at("again-" + name)),
            Fault::none);
        suite.same("its inode, " + name, suite.inode("again-" + name), suite.inode(name));
        suite.same("its count, " + name, suite.status(name).links, 2);
    }
    auto const device = suite.status("again-device");
    suite.same("major of the device", device.device_major, 8);
    suite.same("minor of the device", device.device_minor, 3);
    for (u64 const number : { u64 { 0 }, u64 { 255 } << 32 | 255, u64 { 256 } << 32 | 1,
             u64 { 4095 } << 32 | 1'048'575 }) {
        suite.must("device",
            backend.make_node(suite.at("other"), FileKind::character_device, 0600, number));
        auto const found = suite.status("other");
        suite.same("number " + std::to_string(number),
            u64 { found.device_major } << 32 | found.device_minor, number);
        suite.holds("a character device, " + std::to_string(number),
            found.kind == FileKind::character_device);
        suite.clear("other");
    }
}

void check_directories(Suite& suite)
{
    auto& backend = suite.backend;
    suite.directory("top");
    suite.same("an empty one counts two", suite.status("top").links, 2);
    for (u32 each = 1; each <= 20; ++each) {
        auto const name = "top/" + std::to_string(each);
        suite.same("mkdir " + name, backend.make_directory(suite.at(name), 0755), Fault::none);
        suite.same("links with " + name, suite.status("top").links, 2 + each);
        suite.same("links of " + name, suite.status(name).links, 2);
        suite.same(".. of " + name, suite.inode(name + "/.."), suite.inode("top"));
        suite.same(". of " + name, suite.inode(name + "/."), suite.inode(name));
    }
    suite.file("top/file");
    suite.same("a file counts nothing", suite.status("top").links, 22);
    suite.same("rmdir of a full one", backend.remove(suite.at("top"), RemoveKind::directory),
        Fault::notempty);
    for (u32 each = 20; each >= 1; --each) {
        auto const name = "top/" + std::to_string(each);
        suite.same(
            "rmdir " + name, backend.remove(suite.at(name), RemoveKind::directory), Fault::none);
        suite.same("links without " + name, suite.status("top").links, 1 + each);
    }
    suite.same(
        "still not empty", backend.remove(suite.at("top"), RemoveKind::directory), Fault::notempty);
    suite.must("unlink", backend.remove(suite.at("top/file"), RemoveKind::file));
    suite.same("empty now", backend.remove(suite.at("top"), RemoveKind::directory), Fault::none);
}

// New things take the group of a directory that has the bit for it.
void check_group_bit(Suite& suite)
{
    auto& backend = suite.backend;
    suite.directory("shared");
    suite.must(
        "owner", backend.set_attributes(suite.at("shared"), owner_change(0, 77), LastLink::follow));
    suite.must(
        "mode", backend.set_attributes(suite.at("shared"), mode_change(02775), LastLink::follow));
    suite.file("shared/file");
    suite.same("group of a file", suite.status("shared/file").gid, 77);
    suite.must("mkdir", backend.make_directory(suite.at("shared/dir"), 0755));
    suite.same("group of a directory", suite.status("shared/dir").gid, 77);
    suite.same("it has the bit, too", suite.status("shared/dir").mode, 02755);
    suite.must("mkfifo", backend.make_node(suite.at("shared/pipe"), FileKind::pipe, 0644, 0));
    suite.same("group of a pipe", suite.status("shared/pipe").gid, 77);
    suite.same("the pipe has no bit", suite.status("shared/pipe").mode, 0644);
    suite.must("symlink", backend.symlink("x", suite.at("shared/link")));
    suite.same("group of a link", suite.status("shared/link").gid, 77);
}

} // namespace

void check_links(Suite& suite)
{
    suite.section("links");
    check_counts(suite);
    suite.section("links of kinds");
    check_kinds(suite);
    suite.section("directories");
    check_directories(suite);
    suite.section("group bit");
    check_group_bit(suite);
}

} // namespace gemel::posix
