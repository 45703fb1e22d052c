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

EntryWriter::Added add(EntryWriter& entries, std::string_view name, Mount& mount, Listing listing)
{
    auto const cookie = mount_cookie_bit | mount.id;
    if (listing == Listing::kinds)
        return entries.add(name, mount.id, FileKind::directory, cookie);
    // A file system that does not answer is listed all the same.
    auto status = FileStatus { .inode = mount.id, .kind = FileKind::directory };
    if (auto const found = mount.stat("", LastLink::keep))
        if (auto const* const known = std::get_if<FileStatus>(&*found))
            status = *known;
    return entries.add(name, status, cookie);
}

} // namespace

Result<u32> list_mount_points(Mounts const& mounts, Located<Mount> const& directory, u64 cookie,
    Listing listing, std::span<std::byte> into)
{
    EntryWriter entries { into };
    for (auto const& mount : mounts.directly_in(directory.text)) {
        auto const name = below(mount->path, directory.text);
        if ((mount_cookie_bit | mount->id) <= cookie || TRY(is_listed_below(directory, name)))
            continue;
        if (add(entries, name, *mount, listing) == EntryWriter::Added::yes)
            continue;
        if (entries.bytes() == 0)
            return Error::too_big;
        break;
    }
    return entries.bytes();
}

} // namespace gemel::vfs
