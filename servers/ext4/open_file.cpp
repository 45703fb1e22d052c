#include "servers/ext4/open_file.hpp"

#include <cstring>

namespace gemel::ext4 {

Result<void> OpenFile::check_open() const
{
    if (opening_->closed.load())
        return Error::dead;
    return {};
}

Result<File::Read::Reply> OpenFile::on(File::Read const& request)
{
    TRY(check_open());
    if (!has(opening_->flags, OpenFlag::read))
        return Error::no_rights;
    auto const memory = TRY(region_.at(request.span));
    std::span const target(reinterpret_cast<u8*>(memory.data()), memory.size());
    auto const volume = served_.volume.lock();
    auto const bytes = TRY(volume->read(opening_->inode, request.offset, target));
    return File::Read::Reply { static_cast<u32>(bytes) };
}

// Open refuses every flag that would make one of these two possible.
Result<File::Write::Reply> OpenFile::on(File::Write const&)
{
    TRY(check_open());
    return Error::no_rights;
}

Result<File::Resize::Reply> OpenFile::on(File::Resize const&)
{
    TRY(check_open());
    return Error::no_rights;
}

Result<File::Close::Reply> OpenFile::on(File::Close const&)
{
    TRY(check_open());
    opening_->closed.store(true);
    return File::Close::Reply {};
}

Result<File::Sync::Reply> OpenFile::on(File::Sync const&)
{
    TRY(check_open());
    return File::Sync::Reply {};
}

Result<File::Stat::Reply> OpenFile::on(File::Stat const& request)
{
    TRY(check_open());
    auto const answer = TRY(region_.at(request.answer));
    auto const status = status_of(opening_->inode);
    if (answer.size() < sizeof status)
        return Error::invalid;
    std::memcpy(answer.data(), &status, sizeof status);
    return File::Stat::Reply {};
}

Result<File::Attach::Reply> OpenFile::on(File::Attach request)
{
    TRY(check_open());
    auto region = TRY(SessionMemory::map(std::move(request.region)));
    auto file = make_ref<OpenFile>(served_, opening_, std::move(region));
    return File::Attach::Reply { TRY(served_.objects.publish<File>(std::move(file))) };
}

static_assert(Serves<OpenFile, File>);

} // namespace gemel::ext4
