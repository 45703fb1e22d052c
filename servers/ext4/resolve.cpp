#include "servers/ext4/resolve.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

u32 count_components(std::string_view path)
{
    u32 count = 0;
    for (usize index = 0; index < path.size(); ++index)
        count += path[index] != '/' && (index == 0 || path[index - 1] == '/');
    return count;
}

} // namespace

Result<Resolved> resolve(Volume& volume, std::string_view path, LastLink last)
{
    if (path.size() > Volume::path_bytes_max)
        return Error::name_too_long;
    auto const root = TRY(volume.inode(root_inode));
    auto end = TRY(volume.walk(root, path));
    auto const left = count_components(end.rest);
    bool const follow = left > 0 || last == LastLink::follow;
    if (end.inode.type() != FileType::symbolic_link || !follow)
        return Resolved(std::move(end.inode));
    auto text = TRY(volume.read_link(end.inode));
    return Resolved(LinkMet { count_components(path) - left - 1, std::move(text) });
}

} // namespace gemel::ext4
