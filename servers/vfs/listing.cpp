// Mount points in a listing: any image can be the root, so the directories that others are mounted
// on need not be there.
#include "servers/vfs/session.hpp"

namespace gemel::vfs {

namespace {

// The file system below has the name itself, and has listed it.
Result<bool> is_listed_below(Located<Mount> const& directory, std::string_view name)
{
    std::string path { directory.relative() };
    if (!path.empty())
        path += '/';
    path += name;
    auto const found = directory.mount->stat(path, LastLink::keep);
    if (!found && found.error() != Error::not_found)
        return found.error();
    return found.has_value();
}

} // namespace

Result<u32> list_mount_points(
    Mounts const& mounts, Located<Mount> const& directory, u64 cookie, std::span<std::byte> into)
{
    EntryWriter entries { into };
    for (auto const& mount : mounts.directly_in(directory.text)) {
        auto const own_cookie = mount_cookie_bit | mount->id;
        auto const name = below(mount->path, directory.text);
        if (own_cookie <= cookie || TRY(is_listed_below(directory, name)))
            continue;
        if (entries.add(name, mount->id, FileKind::directory, own_cookie)
            == EntryWriter::Added::yes)
            continue;
        if (entries.bytes() == 0)
            return Error::too_big;
        break;
    }
    return entries.bytes();
}

} // namespace gemel::vfs
