// Requests about extended attributes.
#include "servers/ext4/attribute_request.hpp"
#include "servers/ext4/root_directory.hpp"

namespace gemel::ext4 {

template <typename Request, typename Work>
Result<typename Request::Reply> RootDirectory::at_inode(Request const& request, Work work)
{
    auto const path = TRY(path_at(request.path));
    auto const volume = served_.volume.lock();
    auto const place = TRY(resolve(*volume, path, request.last));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<typename Request::Reply>(*met, request.answer);
    return work(*volume, std::get<Inode>(place));
}

Result<Directory::GetExtended::Reply> RootDirectory::on(Directory::GetExtended const& request)
{
    using Reply = Directory::GetExtended::Reply;
    auto const name = TRY(attribute_name_in(TRY(region_.at(request.attribute))));
    return at_inode(request, [&](Volume& volume, Inode const& inode) -> Result<Reply> {
        auto const value = TRY(volume.get_extended(inode, name));
        auto const target = TRY(region_.at(request.answer));
        return Reply { 0, 0, TRY(put_bytes(target, std::as_bytes(std::span(value)))) };
    });
}

Result<Directory::ListExtended::Reply> RootDirectory::on(Directory::ListExtended const& request)
{
    using Reply = Directory::ListExtended::Reply;
    return at_inode(request, [&](Volume& volume, Inode const& inode) -> Result<Reply> {
        auto const names = TRY(volume.list_extended(inode));
        auto const target = TRY(region_.at(request.answer));
        return Reply { 0, 0, TRY(put_bytes(target, std::as_bytes(std::span(names)))) };
    });
}

Result<Directory::SetExtended::Reply> RootDirectory::on(Directory::SetExtended const& request)
{
    using Reply = Directory::SetExtended::Reply;
    auto const name = TRY(attribute_name_in(TRY(region_.at(request.attribute))));
    auto const mode = TRY(mode_of(request.mode));
    auto const value = copy_of(TRY(region_.at(request.value)));
    return at_inode(request, [&](Volume& volume, Inode const& inode) -> Result<Reply> {
        if (!volume.writer())
            return Error::read_only;
        TRY(volume.writer()->set_extended(inode.number, name, value, mode));
        return Reply {};
    });
}

Result<Directory::RemoveExtended::Reply> RootDirectory::on(Directory::RemoveExtended const& request)
{
    using Reply = Directory::RemoveExtended::Reply;
    auto const name = TRY(attribute_name_in(TRY(region_.at(request.attribute))));
    return at_inode(request, [&](Volume& volume, Inode const& inode) -> Result<Reply> {
        if (!volume.writer())
            return Error::read_only;
        TRY(volume.writer()->remove_extended(inode.number, name));
        return Reply {};
    });
}

} // namespace gemel::ext4
