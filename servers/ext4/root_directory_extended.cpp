// Requests about extended attributes.
#include "servers/ext4/root_directory.hpp"

#include <cstring>

namespace gemel::ext4 {

namespace {

// The protocol's word for the volume's; another number -> invalid.
Result<AttributeMode> mode_of(ExtendedMode mode)
{
    switch (mode) {
    case ExtendedMode::set:
        return AttributeMode::set;
    case ExtendedMode::create:
        return AttributeMode::create;
    case ExtendedMode::replace:
        return AttributeMode::replace;
    }
    return Error::invalid;
}

} // namespace

Result<std::string> RootDirectory::attribute_at(Span span) const
{
    auto const bytes = TRY(region_.at(span));
    if (bytes.empty() || bytes.size() > attribute_name_bytes_max)
        return Error::invalid;
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

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

Result<u32> RootDirectory::put_bytes(Span answer, std::span<std::byte const> bytes) const
{
    auto const target = TRY(region_.at(answer));
    if (target.size() < bytes.size())
        return Error::too_big;
    std::copy(bytes.begin(), bytes.end(), target.begin());
    return static_cast<u32>(bytes.size());
}

Result<Directory::GetExtended::Reply> RootDirectory::on(Directory::GetExtended const& request)
{
    using Reply = Directory::GetExtended::Reply;
    auto const name = TRY(attribute_at(request.attribute));
    return at_inode(request, [&](Volume& volume, Inode const& inode) -> Result<Reply> {
        auto const value = TRY(volume.get_extended(inode, name));
        return Reply { 0, 0, TRY(put_bytes(request.answer, std::as_bytes(std::span(value)))) };
    });
}

Result<Directory::ListExtended::Reply> RootDirectory::on(Directory::ListExtended const& request)
{
    using Reply = Directory::ListExtended::Reply;
    return at_inode(request, [&](Volume& volume, Inode const& inode) -> Result<Reply> {
        auto const names = TRY(volume.list_extended(inode));
        return Reply { 0, 0, TRY(put_bytes(request.answer, std::as_bytes(std::span(names)))) };
    });
}

Result<Directory::SetExtended::Reply> RootDirectory::on(Directory::SetExtended const& request)
{
    using Reply = Directory::SetExtended::Reply;
    auto const name = TRY(attribute_at(request.attribute));
    auto const mode = TRY(mode_of(request.mode));
    auto const shared = TRY(region_.at(request.value));
    // Copied: the other side may change it at any time.
    std::vector<u8> value(shared.size());
    std::memcpy(value.data(), shared.data(), shared.size());
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
    auto const name = TRY(attribute_at(request.attribute));
    return at_inode(request, [&](Volume& volume, Inode const& inode) -> Result<Reply> {
        if (!volume.writer())
            return Error::read_only;
        TRY(volume.writer()->remove_extended(inode.number, name));
        return Reply {};
    });
}

} // namespace gemel::ext4
