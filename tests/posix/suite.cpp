#include "tests/posix/suite.hpp"

namespace gemel::posix {

namespace {

constexpr usize content_bytes_max = 8 << 20;

std::string shown(std::string const& text)
{
    constexpr usize shown_max = 60;
    std::string out = "\"";
    for (char const byte : text.substr(0, shown_max))
        out += byte >= ' ' && byte <= '~' ? byte : '?';
    return out + (text.size() > shown_max ? "\"..." : "\"") + " (" + std::to_string(text.size())
        + " bytes)";
}

} // namespace

void Suite::count(
    std::string const& what, bool good, std::string const& found, std::string const& wanted)
{
    auto const name = section_ + ": " + what;
    if (!names_.insert(name).second) {
        ++failed_;
        backend.say("FAIL posix: " + name + ": checked twice");
        return;
    }
    ++(good ? passed_ : failed_);
    if (!good)
        backend.say("FAIL posix: " + name + ": " + found + ", wanted " + wanted);
}

void Suite::section(std::string const& name)
{
    section_ = name;
    directory_ = base_ + "/" + name;
    must("mkdir of the section", backend.make_directory(directory_, 0777));
    must("chmod of the section",
        backend.set_attributes(directory_, mode_change(0777), LastLink::follow));
}

void Suite::same(std::string const& what, Fault found, Fault wanted)
{
    count(what, found == wanted, std::string(name_of(found)), std::string(name_of(wanted)));
}

void Suite::same(std::string const& what, u64 found, u64 wanted)
{
    count(what, found == wanted, std::to_string(found), std::to_string(wanted));
}

void Suite::same(std::string const& what, std::string const& found, std::string const& wanted)
{
    count(what, found == wanted, shown(found), shown(wanted));
}

void Suite::holds(std::string const& what, bool found)
{
    count(what, found, "no", "yes");
}

void Suite::must(std::string const& what, Fault fault)
{
    if (fault == Fault::none)
        return;
    ++failed_;
    backend.say(
        "FAIL posix: " + section_ + ": the scene, " + what + ": " + std::string(name_of(fault)));
}

void Suite::file(std::string const& name, std::string const& content, u16 mode)
{
    auto const flags = OpenFlag::write | OpenFlag::create | OpenFlag::exclusive;
    auto const opened = backend.open(at(name), flags, 0644);
    must("a file " + name, opened.fault);
    if (!opened)
        return;
    if (!content.empty())
        must("content of " + name, backend.write(opened.value, 0, content).fault);
    must("close of " + name, backend.close(opened.value));
    must("mode of " + name, backend.set_attributes(at(name), mode_change(mode), LastLink::follow));
}

void Suite::directory(std::string const& name, u16 mode)
{
    must("a directory " + name, backend.make_directory(at(name), 0755));
    must("mode of " + name, backend.set_attributes(at(name), mode_change(mode), LastLink::follow));
}

void Suite::clear(std::string const& name)
{
    auto const found = backend.status(at(name), LastLink::keep);
    if (found.fault == Fault::noent)
        return;
    must("a look at " + name, found.fault);
    if (found.value.kind != FileKind::directory)
        return must("unlink of " + name, backend.remove(at(name), RemoveKind::file));
    auto const inner = backend.list(at(name));
    must("list of " + name, inner.fault);
    for (auto const& [entry, kind] : inner.value)
        clear(name + "/" + entry);
    must("rmdir of " + name, backend.remove(at(name), RemoveKind::directory));
}

FileStatus Suite::status(std::string const& name, LastLink last)
{
    auto const found = backend.status(at(name), last);
    must("status of " + name, found.fault);
    return found.value;
}

u64 Suite::inode(std::string const& name)
{
    return backend.status(at(name), LastLink::keep).value.inode;
}

std::string Suite::content(std::string const& name)
{
    auto const opened = backend.open(at(name), static_cast<OpenFlags>(OpenFlag::read), 0);
    must("open of " + name, opened.fault);
    if (!opened)
        return {};
    auto const found = backend.read(opened.value, 0, content_bytes_max);
    must("read of " + name, found.fault);
    must("close of " + name, backend.close(opened.value));
    return found.value;
}

Fault Suite::open_and_close(std::string const& path, OpenFlags flags, u16 mode)
{
    auto const opened = backend.open(path, flags, mode);
    if (opened)
        must("close of " + path, backend.close(opened.value));
    return opened.fault;
}

bool Suite::finish()
{
    backend.say(std::to_string(passed_) + " passed, " + std::to_string(failed_) + " failed, "
        + std::to_string(left_out_) + " skipped");
    return failed_ == 0;
}

FileAttributes mode_change(u16 mode)
{
    FileAttributes change { .mode = mode };
    change.add(AttributeChange::mode);
    return change;
}

FileAttributes owner_change(u32 uid, u32 gid)
{
    FileAttributes change { .uid = uid, .gid = gid };
    change.add(AttributeChange::uid);
    change.add(AttributeChange::gid);
    return change;
}

FileAttributes time_change(FileTime accessed, FileTime modified)
{
    FileAttributes change { .accessed = accessed, .modified = modified };
    change.add(AttributeChange::accessed);
    change.add(AttributeChange::modified);
    return change;
}

FileAttributes time_change_now()
{
    FileAttributes change;
    change.add(AttributeChange::accessed_now);
    change.add(AttributeChange::modified_now);
    return change;
}

void check_all(Suite& suite)
{
    check_paths(suite);
    check_renames(suite);
    check_opens(suite);
    check_names(suite);
    check_sizes(suite);
    check_spaces(suite);
    check_times(suite);
    check_links(suite);
    check_nameless(suite);
    check_extended(suite);
    check_users(suite);
}

} // namespace gemel::posix
