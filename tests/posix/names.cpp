// Names of every length and byte, links to links to their bound, and what listings say of a
// directory while it changes.
#include "tests/posix/suite.hpp"

namespace gemel::posix {

namespace {

constexpr usize name_bytes_max = 255;

void check_lengths(Suite& suite)
{
    for (usize bytes = 1; bytes <= name_bytes_max; ++bytes) {
        std::string const name(bytes, 'n');
        auto const text = std::to_string(bytes);
        suite.same("a name of " + text + " bytes",
            suite.open_and_close(suite.at(name), OpenFlag::write | OpenFlag::create), Fault::none);
        suite.holds("it is found, " + text, suite.inode(name) != 0);
        if (bytes > 1)
            suite.same("a shorter one is another, " + text,
                suite.backend.status(suite.at(name.substr(1)), LastLink::keep).fault, Fault::noent);
        auto const listed = suite.backend.list(suite.at("."));
        suite.holds(
            "it is listed, " + text, listed.value.size() == 1 && listed.value.contains(name));
        suite.same("it goes, " + text, suite.backend.remove(suite.at(name), RemoveKind::file),
            Fault::none);
    }
    for (usize const bytes : { 256, 257, 300, 1000, 4000 }) {
        auto const path = suite.at(std::string(bytes, 'n'));
        auto const text = std::to_string(bytes);
        suite.same("no file of " + text + " bytes",
            suite.open_and_close(path, OpenFlag::write | OpenFlag::create), Fault::nametoolong);
        suite.same("no directory of " + text + " bytes", suite.backend.make_directory(path, 0755),
            Fault::nametoolong);
    }
    suite.same("nothing was left", suite.backend.list(suite.at(".")).value.size(), 0);
}

void check_bytes(Suite& suite)
{
    for (u32 byte = 1; byte < 256; ++byte) {
        auto const letter = static_cast<char>(byte);
        if (letter == '/')
            continue;
        std::string const name = std::string("x") + letter;
        auto const text = std::to_string(byte);
        suite.same("a directory with byte " + text,
            suite.backend.make_directory(suite.at(name), 0755), Fault::none);
        suite.holds(
            "listed with byte " + text, suite.backend.list(suite.at(".")).value.contains(name));
    }
    suite.same("all of them", suite.backend.list(suite.at(".")).value.size(), 254);
    for (u32 byte = 1; byte < 256; ++byte) {
        std::string const name = std::string("x") + static_cast<char>(byte);
        if (name != "x/")
            suite.same("rmdir with byte " + std::to_string(byte),
                suite.backend.remove(suite.at(name), RemoveKind::directory), Fault::none);
    }
    suite.same("none is left", suite.backend.list(suite.at(".")).value.size(), 0);
}

// What the listing must say after each step.
void check_listing(Suite& suite)
{
    std::map<std::string, FileKind> wanted;
    auto& backend = suite.backend;
    for (u32 step = 0; step < 120; ++step) {
        auto const name = "entry-" + std::to_string(step * 7919 % 120);
        auto const text = std::to_string(step);
        if (step % 5 == 4) {
            auto const gone = wanted.begin()->first;
            suite.clear(gone);
            wanted.erase(gone);
        } else if (step % 5 == 3) {
            auto const old = std::prev(wanted.end())->first;
            suite.must(
                "rename", backend.rename(suite.at(old), suite.at(name), RenameMode::replace));
            wanted[name] = wanted[old];
            wanted.erase(old);
        } else if (step % 5 == 2) {
            suite.must("symlink", backend.symlink("x", suite.at(name)));
            wanted[name] = FileKind::symlink;
        } else if (step % 5 == 1) {
            suite.directory(name);
            wanted[name] = FileKind::directory;
        } else {
            suite.file(name);
            wanted[name] = FileKind::regular;
        }
        suite.holds(
            "names and kinds after step " + text, backend.list(suite.at(".")).value == wanted);
    }
}

void check_many(Suite& suite)
{
    constexpr u32 count = 1500; // enough for a tree of names
    for (u32 each = 0; each < count; ++each)
        suite.must("many",
            suite.open_and_close(suite.at("a-rather-long-name-of-" + std::to_string(each)),
                OpenFlag::write | OpenFlag::create));
    suite.same(
        "a large directory lists all", suite.backend.list(suite.at(".")).value.size(), count);
    for (u32 each = 0; each < count; each += 2)
        suite.must("many go",
            suite.backend.remove(
                suite.at("a-rather-long-name-of-" + std::to_string(each)), RemoveKind::file));
    auto const left = suite.backend.list(suite.at(".")).value;
    suite.same("half of it is left", left.size(), count / 2);
    suite.holds("the right half",
        left.contains("a-rather-long-name-of-1499")
            && !left.contains("a-rather-long-name-of-1498"));
    suite.same(
        "not empty", suite.backend.remove(suite.at("."), RemoveKind::directory), Fault::inval);
    suite.same("a name that went is free",
        suite.backend.make_directory(suite.at("a-rather-long-name-of-0"), 0755), Fault::none);
}

// A chain of links: forty may be followed.
void check_chain(Suite& suite)
{
    constexpr u32 links_max = 40;
    suite.file("link-0", "the end");
    for (u32 each = 1; each <= links_max + 2; ++each)
        suite.must("link",
            suite.backend.symlink(
                "link-" + std::to_string(each - 1), suite.at("link-" + std::to_string(each))));
    for (u32 each = 1; each <= links_max + 2; ++each) {
        auto const name = "link-" + std::to_string(each);
        auto const wanted = each <= links_max ? Fault::none : Fault::loop;
        suite.same("stat through " + std::to_string(each),
            suite.backend.status(suite.at(name), LastLink::follow).fault, wanted);
        suite.same("open through " + std::to_string(each),
            suite.open_and_close(suite.at(name), static_cast<OpenFlags>(OpenFlag::read)), wanted);
        suite.same("text of " + std::to_string(each), suite.backend.read_link(suite.at(name)).value,
            "link-" + std::to_string(each - 1));
    }
}

void check_texts(Suite& suite)
{
    for (usize const bytes :
        { 1, 2, 58, 59, 60, 61, 62, 100, 255, 256, 1000, 1023, 1024, 2000, 3000, 4000, 4095 }) {
        auto const name = "text-" + std::to_string(bytes);
        std::string const text(bytes, 't');
        suite.same("a link of " + std::to_string(bytes) + " bytes",
            suite.backend.symlink(text, suite.at(name)), Fault::none);
        suite.same("its text, " + std::to_string(bytes),
            suite.backend.read_link(suite.at(name)).value, text);
        auto const status = suite.status(name);
        suite.same("its size, " + std::to_string(bytes), status.size, bytes);
        suite.same("its mode, " + std::to_string(bytes), status.mode, 0777);
        suite.same("its links, " + std::to_string(bytes), status.links, 1);
    }
    suite.same("a link of no bytes", suite.backend.symlink("", suite.at("empty")), Fault::noent);
    suite.same("a link of 4096 bytes",
        suite.backend.symlink(std::string(4096, 't'), suite.at("long")), Fault::nametoolong);
    for (auto const* const text :
        { "a/b", "/absolute", "../up", "./here", "trailing/", "double//slash", "sp ace" }) {
        suite.must("symlink", suite.backend.symlink(text, suite.at("odd")));
        suite.same(std::string("kept as it is: ") + text,
            suite.backend.read_link(suite.at("odd")).value, text);
        suite.clear("odd");
    }
}

} // namespace

void check_names(Suite& suite)
{
    suite.section("name lengths");
    check_lengths(suite);
    suite.section("name bytes");
    check_bytes(suite);
    suite.section("listings");
    check_listing(suite);
    suite.section("large directory");
    check_many(suite);
    suite.section("chains of links");
    check_chain(suite);
    suite.section("link texts");
    check_texts(suite);
}

} // namespace gemel::posix
